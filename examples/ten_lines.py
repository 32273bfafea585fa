"""From an export to rows: ten_lines.py EXPORT."""

import sys

import aavqc

result = aavqc.analyze(sys.argv[1], design_length=4700, dilution_factor=1e7)
for sample in result.samples:
    for a in sample.attributes:
        row = sample.sample_id, a.name, a.target, a.qualifier, a.value, a.ci_low, a.ci_high, a.unit
        print(*("" if cell is None else cell for cell in row), sep=",")
