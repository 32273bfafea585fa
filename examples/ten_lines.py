"""From an export to rows: ten_lines.py EXPORT METHOD SAMPLES > rows.csv."""

import csv
import sys

import aavqc

try:
    result = aavqc.analyze(sys.argv[1], sys.argv[2], samples=sys.argv[3])
except aavqc.AavqcError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
for sample in result.samples:
    identity = sample.lot, sample.sample_id, sample.role, sample.status
    for a in sample.attributes:
        number = a.bound if a.qualifier else a.value
        csv.writer(sys.stdout).writerow([*identity, a.key, a.qualifier, number, a.ci_low, a.ci_high, a.unit])
sys.exit(4 if any(sample.status == "invalid" for sample in result.samples) else 0)
