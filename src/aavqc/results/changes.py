"""What a person changed by hand: old and new settings, the numbers before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aavqc.documents import Document, Payload, natural
from aavqc.errors import UsageError
from aavqc.results.links import Change


class ChangedSetting(Document, frozen=True):
    """A setting, a role or a part of the sample sheet; null where it was not there."""

    setting: str
    old: Any
    new: Any


class ChangedAttribute(Document, frozen=True):
    """An attribute of a sample before and after; null where there was or is none."""

    sample_id: str
    attribute: str
    unit: str
    before: float | None
    after: float | None


class ManualChange(Document, frozen=True):
    """A second evaluation of the same raw data, with all that is needed to review it."""

    result_before: str
    result_after: str
    actor: str
    reason: str
    settings: tuple[ChangedSetting, ...]
    attributes: tuple[ChangedAttribute, ...]


def manual_change(change: Change, before: Payload, after: Payload) -> ManualChange:
    """Compare two evaluations of the same raw data.

    Raises
    ------
    UsageError
        They are not of the same raw data and technique, or nothing was changed.
    """
    if before.technique != after.technique or _hashes(before) != _hashes(after):
        raise UsageError(
            "a manual change compares two evaluations of the same raw data",
            found=f"{change.before} and {change.after}",
            hint="a new measurement is a retest",
        )
    settings = tuple(_settings(before, after))
    if not settings:
        raise UsageError("nothing was changed by hand", found=f"{change.before} and {change.after}")
    return ManualChange(
        result_before=change.before,
        result_after=change.after,
        actor=change.actor,
        reason=change.reason,
        settings=settings,
        attributes=tuple(_attributes(before, after)),
    )


def _hashes(payload: Payload) -> list[str]:
    return sorted(file.sha256 for file in payload.inputs)


def _settings(before: Payload, after: Payload) -> Iterator[ChangedSetting]:
    old, new = (dict(_leaves(p.method.model_dump(mode="json"), "")) for p in (before, after))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield ChangedSetting(setting=key.removeprefix("settings."), old=old.get(key), new=new.get(key))


def _leaves(value: object, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for i, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{i}")
    else:
        yield path, value


def _attributes(before: Payload, after: Payload) -> Iterator[ChangedAttribute]:
    tables = [
        {(s.sample_id, a.key): (a.value, a.unit) for s in p.samples for a in s.attributes}
        for p in (before, after)
    ]
    old, new = tables
    for sample_id, key in sorted(old.keys() | new.keys(), key=lambda k: (natural(k[0]), k[1])):
        was, now = old.get((sample_id, key)), new.get((sample_id, key))
        if was != now:
            yield ChangedAttribute(
                sample_id=sample_id,
                attribute=key,
                unit=(now or was or (None, ""))[1],
                before=was[0] if was else None,
                after=now[0] if now else None,
            )
