"""Diagnostics of velocity fits: false alarms on clean simulated runs, detection of made faults.

A clean run varies in loading, composition, noise, meniscus and optics; a fault is added to such
a run after it was simulated, or by the instrument's settings. Seeds below 10 000 are used here
only: the limits of the rules were looked at on others.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special
from threadpoolctl import threadpool_limits

import aavqc
from aavqc.auc.fit import fit_sample
from aavqc.auc.flags import flags_of
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import AssayError
from aavqc.records import Scan, VelocityScans, readonly
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate

SETTINGS = build(
    TechniqueSettings,
    {
        "design_length": 4700,
        "resolution": 60,
        "s_range": [30, 180],
        "fit": ["meniscus"],
        "bottom": 7.2,
        "density": 1.0,
        "viscosity": 1.002,
    },
)
LOG = Path(__file__).resolve().parents[1] / "docs" / "validation" / "auc-flags.md"

Fault = Callable[[VelocityScans], VelocityScans]


def clean(seed: int, **given: Any) -> VelocityScans:
    """A run without fault; every fourth is by interference."""
    rng = np.random.default_rng([seed, 77])
    interference = seed % 4 == 3 and "od" not in given
    empty, partial = rng.uniform(0.1, 0.6), rng.uniform(0.02, 0.2)
    values = {
        "seed": seed,
        "scans": 25,
        "radial_step": 0.006,
        "optics": "interference" if interference else "absorbance",
        "od": rng.uniform(2.0, 4.0) if interference else rng.uniform(0.3, 0.9),
        "noise": rng.uniform(0.006, 0.010) if interference else rng.uniform(0.003, 0.006),
        "meniscus": round(rng.uniform(6.0, 6.1), 3),
        "species": [f"0:{empty:.3f}", f"2300:{partial:.3f}", f"4700:{1 - empty - partial:.3f}"],
    }
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder), AucSimulation(**{**values, **given}))
        record = aavqc.read(folder)
    assert isinstance(record, VelocityScans)
    return record


def on_signal(change: Callable[[Scan, float], np.ndarray]) -> Fault:
    """A fault of the signal; ``change`` sees a scan and its place in the run, from 0 to 1."""

    def apply(record: VelocityScans) -> VelocityScans:
        last = len(record.scans) - 1
        scans = (replace(s, signal=readonly(change(s, i / last))) for i, s in enumerate(record.scans))
        return replace(record, scans=tuple(scans))

    return apply


def clock_slow(record: VelocityScans) -> VelocityScans:
    return replace(record, scans=tuple(replace(s, time_s=round(1.02 * s.time_s)) for s in record.scans))


def smear(scan: Scan, place: float) -> np.ndarray:
    """Mix neighbouring layers of the column by 0.03 cm in the first fifth of the run."""
    inside = (scan.radius_cm > 6.13) & (scan.radius_cm < 7.15)
    if place > 0.2:
        return scan.signal
    step = float(np.median(np.diff(scan.radius_cm)))
    x = np.arange(-25, 26) * step
    kernel = np.exp(-0.5 * (x / 0.03) ** 2)
    kernel /= kernel.sum()
    column = np.pad(scan.signal[inside], 25, mode="edge")
    # what is mixed is the boundary: the noise of the points stays as it is
    smooth = np.convolve(column, np.full(5, 0.2), mode="same")
    mixed = np.convolve(smooth, kernel, mode="valid") + (column - smooth)[25:-25]
    signal = scan.signal.copy()
    signal[inside] = mixed
    return signal


def second_meniscus(scan: Scan, place: float) -> np.ndarray:
    return scan.signal + 0.8 * np.exp(-(((scan.radius_cm - 6.17) / 0.004) ** 2))


def above_meniscus(record: VelocityScans) -> VelocityScans:
    def cut(scan: Scan) -> Scan:
        keep = scan.radius_cm > 6.13
        sd = scan.signal_sd
        return replace(
            scan,
            radius_cm=readonly(scan.radius_cm[keep]),
            signal=readonly(scan.signal[keep]),
            signal_sd=None if sd is None else readonly(sd[keep]),
        )

    return replace(record, scans=tuple(cut(s) for s in record.scans))


@dataclass(frozen=True)
class Case:
    """A fault: the flag it must raise, its size in words, how it is made."""

    flag: str
    size: str
    change: Fault = lambda record: record
    given: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("time_stamps", "header clock 2 % off", clock_slow),
    Case(
        "mass_balance",
        "6 % of the signal lost after three tenths of the run",
        on_signal(lambda s, p: s.signal * (1.0 if p < 0.3 else 0.94)),
    ),
    Case(
        "mass_balance",
        "15 % of the signal at 243 S, beyond the s range",
        given={"species": ["0:0.30", "2300:0.10", "4700:0.60", "20000:0.03"], "od": 0.6},
    ),
    Case("convection", "first fifth of the scans mixed over 0.03 cm (SD)", on_signal(smear)),
    Case("saturation", "loading of 1.5 OD", given={"od": 1.5}),
    Case(
        "rmsd_above_noise",
        "detector cut off at 1.0 OD, loading of 1.15 OD",
        on_signal(lambda s, p: np.minimum(s.signal, 1.0)),
        {"od": 1.15},
    ),
    Case(
        "residual_runs",
        "baseline sloped by 0.02 OD/cm",
        on_signal(lambda s, p: s.signal + 0.02 * (s.radius_cm - 6.6)),
        {"od": 0.6},
    ),
    Case(
        "rmsd_above_noise",
        "baseline structure, SD 0.008 OD, noise 0.004 OD",
        given={"od": 0.6, "noise": 0.004, "ti_noise": 0.008},
    ),
    Case("meniscus_at_edge", "a second artefact 0.07 to 0.17 cm into the column", on_signal(second_meniscus)),
    Case("meniscus_not_seen", "scans begin below the meniscus", above_meniscus),
    Case("few_scans", "9 scans, every 2nd left out", lambda r: replace(r, scans=r.scans[1:18:2])),
    Case("no_boundary", "loading of 0.004 OD, noise 0.004 OD", given={"od": 0.004, "noise": 0.004}),
)


def raised(record: VelocityScans) -> set[str]:
    """The flags of a run; a fit that is refused for lack of a boundary counts as one."""
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            return {flag.id for flag in flags_of(fit_sample((record,), SETTINGS).fits[0], SETTINGS)}
    except AssayError:
        return {"no_boundary"}


def faulty(case: Case, seed: int) -> VelocityScans:
    return case.change(clean(seed, **case.given))


def table(alarms: Counter[str], runs: int, detected: Iterable[tuple[Case, int, int]]) -> str:
    """The log of a campaign."""
    rows = list(detected)
    text = [
        "# Diagnostics of velocity fits: false alarms and detection",
        "",
        f"{runs} clean runs and {sum(n for _, _, n in rows)} with a fault, simulated by `aavqc.simulate.auc`",
        "(25 scans, a point each 0.006 cm; three runs in four absorbance, 0.3–0.9 OD with noise of",
        "0.003–0.006 OD, one in four interference, 2–4 fringes with noise of 0.006–0.010; 10–60 % empty).",
        "Fitted with 60 s-values from 30 to 180 S, meniscus free. Written by",
        "`tests/test_auc_flags_campaign.py`; upper limits are one-sided, 95 % (none seen in n: 3/n).",
        "",
        "| flag | false alarms | rate | upper limit |",
        "|---|---|---|---|",
    ]
    for name in sorted({case.flag for case in CASES}):
        seen = alarms[name]
        upper = 1.0 if seen >= runs else float(special.betaincinv(seen + 1, runs - seen, 0.95))
        text.append(f"| `{name}` | {seen} of {runs} | {100 * seen / runs:.1f} % | {100 * upper:.1f} % |")
    text += ["", "| fault | must raise | detected |", "|---|---|---|"]
    text += [f"| {case.size} | `{case.flag}` | {seen} of {n} |" for case, seen, n in rows]
    return "\n".join([*text, *NOTES, ""])


NOTES = [
    "",
    "What is not seen: a gain that falls steadily. The distribution takes it up as it takes up dilution: in",
    "trial runs a fall of 10 % over the whole run raised `mass_balance` in none of 3, a rise of 6 % in 3",
    "of 3. Of material at 243 S, beyond the s range, 10 % of the absorbance raised it in 4 of 5 runs only.",
    "A clock that is wrong in time and ∫ω²dt alike needs a wall clock (flag `clock`). Faults raise further",
    "flags beside their own, which is not counted as a false alarm.",
]


def run(runs: int, each: int) -> tuple[Counter[str], list[tuple[Case, int, int]]]:
    """False alarms in clean runs, and how often each fault was seen."""
    alarms: Counter[str] = Counter()
    for seed in range(runs):
        alarms.update(raised(clean(seed)))
    detected = []
    for i, case in enumerate(CASES):
        seeds = range(1000 + 100 * i, 1000 + 100 * i + each)
        detected.append((case, sum(case.flag in raised(faulty(case, seed)) for seed in seeds), each))
    return alarms, detected


@pytest.mark.campaign
def test_false_alarms_and_detection() -> None:
    """500 clean runs and 20 of each fault; fewer by ``AAVQC_CAMPAIGN_RUNS=clean,each``."""
    runs, each = (int(n) for n in os.environ.get("AAVQC_CAMPAIGN_RUNS", "500,20").split(","))
    alarms, detected = run(runs, each)
    log = table(alarms, runs, detected)
    sys.stdout.write(log)
    if os.environ.get("AAVQC_VALIDATION"):
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text(log, encoding="utf-8")
    assert all(n <= max(0.02 * runs, 1) for n in alarms.values()), alarms
    assert all(seen >= 0.9 * n for _, seen, n in detected), [(c.size, seen) for c, seen, n in detected]


@pytest.mark.parametrize("seed", [11, 5])
def test_a_clean_run_raises_no_flag(seed: int) -> None:
    assert raised(clean(seed)) == set()


@pytest.mark.parametrize("flag", ["convection", "mass_balance", "residual_runs"])
def test_a_fault_is_detected(flag: str) -> None:
    case = next(c for c in CASES if c.flag == flag)
    assert flag in raised(faulty(case, 7))


def test_the_log_states_what_so_few_runs_can_show() -> None:
    """Exact upper limits: 1 − 0.05^(1/n) for none in n; one in 100 from tables of Clopper and Pearson."""
    log = table(Counter({"few_scans": 1}), 100, [(CASES[0], 5, 6)])
    assert "| `few_scans` | 1 of 100 | 1.0 % | 4.7 % |" in log
    assert "| `convection` | 0 of 100 | 0.0 % | 3.0 % |" in log
    assert "| `time_stamps` | 5 of 6 |" in log
