"""Whether an assay may be judged at all: its controls and each sample's own wells, apart from limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aavqc.ddpcr.flags import NO_TEMPLATE, NOT_CONTROLS
from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.documents import Flag, Role, Sample

KNOWN: tuple[Role, ...] = ("positive_control", "reference", "spike", "linear_control")
"""Roles in which a target must be found."""

Unspiked = Mapping[tuple[str | None, str], Mapping[str, float]]
"""Titers by target of the samples, by lot and sample id."""


def with_suitability(samples: Sequence[Sample], settings: TechniqueSettings) -> list[Sample]:
    """Return the samples of a plate with one verdict each: ``suitable`` or ``unsuitable``, with reasons.

    A control that fails makes every sample of the plate unsuitable, and invalid. Controls that the
    plate does not have are named, and fail nothing. A sample that is there without DNase, too, has the
    ratio of the two titers.

    Parameters
    ----------
    samples : sequence of Sample
    settings : TechniqueSettings
        Of the plate: expected titers and the range of recoveries.
    """
    controls = [s for s in samples if s.role not in NOT_CONTROLS]
    unspiked = {(s.lot, s.sample_id): _titers(s) for s in samples if s.role == "sample"}
    failed = [reason for c in controls for reason in _failures(c, settings, unspiked)]
    missing = [name for name, roles in _WANTED.items() if not any(s.role in roles for s in samples)]
    recoveries = {c.sample_id: found for c in controls if (found := _recoveries(c, settings, unspiked))}
    undigested = {(s.lot, s.sample_id): _titers(s) for s in samples if s.role == "no_dnase"}
    return [
        _judged(s, failed, missing, recoveries, undigested.get((s.lot, s.sample_id), {})) for s in samples
    ]


_WANTED: dict[str, tuple[Role, ...]] = {
    "no-template control": NO_TEMPLATE,
    "positive control": ("positive_control", "reference"),
}


def _judged(
    sample: Sample,
    failed: Sequence[str],
    missing: Sequence[str],
    recoveries: dict[str, Any],
    undigested: dict[str, float],
) -> Sample:
    own = [f.message for f in sample.flags if f.severity == "invalid"]
    own += [
        f"no well of {target} counts"
        for target, found in sample.diagnostics["targets"].items()
        if not found["wells"]
    ]
    verdict = {
        "verdict": "unsuitable" if own or failed else "suitable",
        "reasons": [*failed, *own],
        "controls_missing": list(missing),
        "recoveries": recoveries,
    }
    if sample.role == "sample" and undigested:
        own_titers = _titers(sample)
        verdict["no_dnase_ratio"] = {t: v / own_titers[t] for t, v in undigested.items() if own_titers.get(t)}
    update: dict[str, Any] = {"diagnostics": sample.diagnostics | {"suitability": verdict}}
    if failed and sample.role == "sample":
        flag = Flag(id="assay_unsuitable", severity="invalid", message="; ".join(failed))
        update |= {"flags": [*sample.flags, flag], "status": "invalid"}
    return sample.model_copy(update=update)


def _failures(control: Sample, settings: TechniqueSettings, unspiked: Unspiked) -> list[str]:
    """Return why a control fails."""
    name = f"{control.role} {control.sample_id}"
    if control.status == "invalid":
        return [
            f"{name} is invalid: {'; '.join(f.message for f in control.flags if f.severity == 'invalid')}"
        ]
    if control.role in NO_TEMPLATE:
        return [f"{name}: {f.message}" for f in control.flags if f.id == "ntc_positive"]
    reasons = []
    if control.role in KNOWN:
        reasons += [
            f"{name}: no {a.target} detected"
            for a in control.attributes
            if a.name == "concentration" and a.qualifier is not None
        ]
    recoveries = _recoveries(control, settings, unspiked)
    if _added(control, settings) is not None:
        reasons += [] if _titers(control) else [f"{name}: no recovery, as there is no titer of it"]
        reasons += [
            f"{name}: no recovery of {target}, as there is no titer of it without the spike"
            for target in _titers(control)
            if target not in recoveries
        ]
    low, high = settings.recovery_range
    reasons += [
        f"{name}: {target} recovers {100 * r:.1f} %, not {100 * low:g} to {100 * high:g} %"
        for target, r in recoveries.items()
        if not low <= r <= high
    ]
    return reasons


def _added(control: Sample, settings: TechniqueSettings) -> float | None:
    """Return what was added to a spiked sample, vg/mL."""
    return settings.spike_added.get(control.sample_id) if control.role == "spike" else None


def _recoveries(control: Sample, settings: TechniqueSettings, unspiked: Unspiked) -> dict[str, float]:
    """Return measured over expected titer, by target; of a spike, what it adds over what was added."""
    added = _added(control, settings)
    if added is not None:
        without = unspiked.get((control.lot, control.sample_id), {})
        return {t: (titer - without[t]) / added for t, titer in _titers(control).items() if t in without}
    expected = settings.expected_titers.get(control.sample_id)
    if expected is None:
        return {}
    return {target: titer / expected for target, titer in _titers(control).items()}


def _titers(sample: Sample) -> dict[str, float]:
    return {a.target or "": a.value for a in sample.attributes if a.name == "vg_titer"}
