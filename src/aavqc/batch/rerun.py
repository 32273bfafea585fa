"""Analyze exports again as their results say they were analyzed, and judge the lots again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aavqc import __version__
from aavqc.batch.compare import Difference, compare
from aavqc.batch.jobs import Job, run_job
from aavqc.batch.judge import judge_results
from aavqc.batch.outputs import npz_bytes
from aavqc.documents import Method, Payload, ResultDocument, SheetRow
from aavqc.errors import VerificationError
from aavqc.fingerprint import numerical_platform
from aavqc.parsers import Export
from aavqc.results import Candidate, Evaluation, Links, Specification


def other_platform(document: ResultDocument) -> str | None:
    """Say in what the numerical platform of a result was another than this one; None where in nothing."""
    was, now = document.envelope.platform, numerical_platform()
    found = compare(was.model_dump(mode="json"), now.model_dump(mode="json"), exactly=True)
    return None if found is None else f"{found.where} {found.stored} then, {found.again} now"


def rerun(export: Export, document: ResultDocument, name: str, arrays: bytes) -> Payload:
    """Analyze an export again; the payload must be that of the document.

    Parameters
    ----------
    export : Export
        Whose files are those that the document names.
    document : ResultDocument
    name : str
        Of the document, below OUT.
    arrays : bytes
        The ``.npz`` beside it; compared on the same platform only.

    Raises
    ------
    VerificationError
        With the first number or word that differs.
    """
    stored = document.payload
    used = stored.method
    method = Method(
        schema="aavqc.method/1",
        name=used.name,
        version=used.version,
        technique=used.technique,
        settings=used.settings,
    )
    rows = tuple(SheetRow(export=export.name, **part.model_dump()) for part in used.parts)
    done = run_job(Job(export, method, rows))
    if done.document is None:
        raise VerificationError(
            "numeric difference: the export can't be analyzed again",
            file=name,
            expected="a result",
            found=str(done.error or done.bug),
        )
    same = other_platform(document) is None
    again = done.document.payload
    found = compare(stored.model_dump(mode="json"), again.model_dump(mode="json"), exactly=same)
    if found:
        raise _finding(_kind(document), found, name)
    if same and npz_bytes(done.arrays) != arrays:
        raise VerificationError("numeric difference: the arrays beside it", file=name)
    return again


def judge_again(
    file: str,
    stored: Evaluation,
    specification: Specification,
    payloads: Mapping[str, Payload],
    *,
    with_sheet: bool,
    exactly: bool,
    other: Mapping[str | None, Sequence[Candidate]],
    links: Links | None,
    problems: Sequence[str],
) -> list[VerificationError]:
    """Judge a lot again by the results of the re-run; return the first difference, if any."""
    lots: dict[str, list[Specification]] = {stored.lot: []} if with_sheet and stored.lot else {}
    without_sheet = None if with_sheet else stored.lot
    made = judge_results(
        dict(sorted(payloads.items())),
        [specification],
        lots=lots,
        without_sheet=without_sheet,
        other=other,
        links=links,
        problems={stored.lot: problems},
    )
    again = next(one for one in made if one.lot == stored.lot)
    found = compare(stored.model_dump(mode="json"), again.model_dump(mode="json"), exactly=exactly)
    if found is None:
        return []
    kind = "numeric difference" if exactly else "different platform, and beyond its tolerance"
    return [_finding(kind, found, file)]


def _kind(document: ResultDocument) -> str:
    platform, release = other_platform(document), document.envelope.aavqc
    if platform is not None:
        return f"different platform ({platform}), and beyond its tolerance"
    return "numeric difference" + (
        "" if release == __version__ else f" (aavqc {release} then, {__version__} now)"
    )


def _finding(kind: str, found: Difference, file: str) -> VerificationError:
    return VerificationError(
        f"{kind}: {found.where}", file=file, expected=found.stored, found=f"{found.again} by the re-run"
    )
