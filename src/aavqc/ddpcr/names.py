"""Settings by name that name nothing on the plate: a slip of the pen, or those of another plate."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from aavqc.ddpcr.flags import NOT_CONTROLS
from aavqc.ddpcr.samples import Plan
from aavqc.ddpcr.settings import TechniqueSettings

LISTED = 12
"""Names that are listed where none comes near; a plate may have 96 samples."""

OF_PLATE = ("gates", "gate_baselines", "expected_titers", "spike_added")
"""What a row of wells can't have of its own."""


def unknown_names(
    settings: TechniqueSettings,
    parts: Iterable[TechniqueSettings],
    plans: Sequence[Plan],
    targets: Collection[str],
) -> list[str]:
    """Return a warning for each setting by name that fits nothing on the plate, or stands in vain.

    It is no error: one method is made for many plates, and not all have each target and control.

    Parameters
    ----------
    settings : TechniqueSettings
        Of the plate.
    parts : iterable of TechniqueSettings
        Of the rows of the sample sheet.
    plans : sequence of Plan
    targets : collection of str
    """
    ids = sorted({p.sample_id for p in plans})
    wells = sorted({well for p in plans for well in (*p.wells, *p.missing)})
    known = {
        **dict.fromkeys(("gates", "targets_per_genome", "target_places"), ("target", sorted(targets))),
        "roles": ("sample or well", [*ids, *wells]),
        "expected_titers": ("control", sorted({p.sample_id for p in plans if p.role not in NOT_CONTROLS})),
        "spike_added": ("spiked sample", sorted({p.sample_id for p in plans if p.role == "spike"})),
    }
    found: dict[str, str] = {}
    for used in (settings, *parts):
        gated = "gated target", sorted(set(used.gates) & set(targets))
        for setting, (what, names) in (known | {"gate_baselines": gated}).items():
            for name in sorted(set(getattr(used, setting)).difference(names)):
                if (key := f"{setting}.{name}") not in found:
                    near = _near(name, names)
                    found[key] = f"{key} fits no {what} of the plate, and sets nothing ({near})"
        for setting in OF_PLATE:
            stray = getattr(used, setting).items() - getattr(settings, setting).items()
            for key in sorted(f"{setting}.{name}" for name, _ in stray):
                found.setdefault(key, f"{key} in a row of wells sets nothing: it is for the whole plate")
    return list(found.values())


def _near(name: str, known: Sequence[str]) -> str:
    """Say which names come near, else which there are."""
    by_plain = {k.casefold(): k for k in known}
    close = get_close_matches(name.casefold(), by_plain, n=2)
    if close:
        return f"did you mean {' or '.join(by_plain[c] for c in close)}?"
    more = ", …" if len(known) > LISTED else ""
    return f"there is {', '.join(known[:LISTED])}{more}" if known else "there is none"
