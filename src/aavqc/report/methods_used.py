"""Methods as they were applied: every setting with its source, and the rows of the sample sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aavqc.documents import MethodUsed, ResultDocument, digest
from aavqc.report.content import Cell, Table, cells, words

ROW = (
    "Sample", "Part", "Lot", "Role", "Container", "Preparation", "Replicate", "Dilution", "Settings", "Other",
)  # fmt: skip


def methods_used(documents: Mapping[str, ResultDocument]) -> Iterator[Table]:
    """Yield a table of settings for each method, with the results that it was applied to alike."""
    alike: dict[str, list[str]] = {}
    for job, document in documents.items():
        method = document.payload.method
        alike.setdefault(digest([method.model_dump(exclude={"parts"}), sorted(_sheet(method))]), []).append(
            job
        )
    for jobs in alike.values():
        yield _settings(jobs, documents[jobs[0]].payload.method)
    rows = [
        (job, p.sample_id, p.part, p.lot, p.role, p.container, p.preparation, p.replicate, p.dilution_factor,
         p.settings, p.other)
        for job, document in documents.items()
        for p in document.payload.method.parts
    ]  # fmt: skip
    yield Table(
        "Rows of the sample sheet",
        (*ROW, "Result"),
        tuple((*(Cell(words(value)) for value in row[1:]), Cell(row[0], "code")) for row in rows),
        empty="There was none.",
    )


def _settings(jobs: list[str], method: MethodUsed) -> Table:
    from aavqc.analysis import settings_class

    defaults = dict(_leaves(settings_class(method.technique)().model_dump(mode="json")))
    named = f"method {method.name} version {method.version}"
    sheet = _sheet(method)
    rows = []
    for name, value in _leaves(method.settings):
        if value is None:
            continue
        source = "default of the library" if name in defaults and defaults[name] == value else named
        if name in sheet or name.split(".")[0] in sheet:
            source = "sample sheet"
        rows.append(cells(name, words(value), source))
    of = f"{'results' if len(jobs) > 1 else 'result'} {', '.join(jobs)} ({method.technique}, {named})"
    return Table(
        f"Settings of {of}; what equals the default is called so",
        ("Setting", "Value", "Source"),
        tuple(rows),
    )


def _sheet(method: MethodUsed) -> set[str]:
    """Return the settings that the sample sheet stated."""
    return {name for part in method.parts for name in part.settings}


def _leaves(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(inner, Mapping):
            yield from _leaves(inner, name)
        else:
            yield name, inner
