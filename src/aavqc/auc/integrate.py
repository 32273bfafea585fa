"""Integrate a distribution that another program fitted: peaks and classes, no fit of ours."""

from __future__ import annotations

import numpy as np

from aavqc.attributes import Attribute
from aavqc.auc.composition import class_windows, s20w_of
from aavqc.auc.legacy import legacy_rows
from aavqc.auc.peaks import find_peaks
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.solvent import run_temperature, solvent_flags, solvent_remarks
from aavqc.documents import Outcome, Sample, plain
from aavqc.records import Distribution

ALGORITHMS = ["auc.integrate/1", "auc.composition/1"]


def integrate(record: Distribution, settings: TechniqueSettings) -> Outcome:
    """Integrate a saved distribution.

    The amounts at each s are the distribution times the width of its cell (trapezoidal rule).
    Intervals are not stated: a distribution without its scans has none.
    """
    s = np.array(record.x)
    amounts = record.y * np.gradient(s)
    windows = class_windows(s, amounts, settings)
    total = float(amounts.sum())
    values: list[tuple[str, str, float]] = [
        ("total_signal", "1", total),
        ("s_weight_average", "S", float((s * amounts).sum() / total)),
    ]
    warnings = [*record.remarks, "integrated as given: no scans, hence no intervals and no particles"]
    if windows is not None:
        share = windows.percent(s, amounts) | windows.percent_outside(s, amounts)
        values += [(f"percent_{name}_signal", "%", value) for name, value in share.items()]
    elif settings.design_length is None:
        warnings.append("no design_length: no composition is computed")
    else:
        warnings.append("no capsid peak near its expected s: no composition is computed")
    values += [row[:3] for row in legacy_rows(s, amounts, settings.s_windows)]
    peaks = find_peaks(s, amounts, np.zeros(s.size))
    sample = Sample(
        sample_id=record.sample_id,
        record=record.name,
        attributes=[Attribute(name=n, technique="auc", value=v, unit=u) for n, u, v in values],
        diagnostics=plain(
            {
                "model": "distribution",
                "rmsd": None,
                "meniscus": None,
                "bottom": None,
                "fit_range": None,
                "frictional_ratio": None,
                "scans_used": 0,
                "signal_unit": None,
                "class_windows": None
                if windows is None
                else {"edges": windows.edges, "anchor": windows.anchor},
                "peaks": [
                    {
                        "s": p.s,
                        "s20w": s20w_of(p.s, windows, settings, run_temperature(record, settings)),
                        "signal": p.signal,
                        "fraction": p.fraction,
                        "class": None if windows is None else windows.name(p.s),
                    }
                    for p in peaks
                ],
                "distribution": {"s": s, "signal": amounts},
            }
        ),
        flags=solvent_flags(settings),
        warnings=[*warnings, *solvent_remarks(settings)],
    )
    return Outcome([sample], ALGORITHMS, arrays={"s": s, "signal": amounts})
