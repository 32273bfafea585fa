"""Sign an output folder, and check the signatures that its audit trail names.

A signature lies in ``OUT/signatures`` and is entered in the trail like any file: it can't be taken away
or put under another folder unnoticed. A later signature covers the earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aavqc.batch.alone import alone
from aavqc.batch.audit import FILE, AuditEntry, Trail, append, now
from aavqc.batch.intact import altered_files, whole_trail
from aavqc.batch.recorder import file_hash
from aavqc.documents import Manifest, canonical
from aavqc.errors import InputError, UsageError, VerificationError
from aavqc.results import Evaluation
from aavqc.signing import (
    SignatureDocument,
    SignedFile,
    Signer,
    Statement,
    TimeStamper,
    Trust,
    checked,
    make_signature,
)
from aavqc.textfiles import read_json, write_bytes


def sign(
    out: str | Path,
    signer: Signer,
    *,
    name: str,
    meaning: str,
    stamper: TimeStamper | None = None,
    store: str | None = None,
) -> Path:
    """Sign an output folder of a batch as it stands.

    Parameters
    ----------
    out : path
    signer : Signer
    name, meaning : str
        Who signs, as printed, and in what sense: review, approval, responsibility.
    stamper : TimeStamper, optional
        Who vouches for the time.
    store : str, optional
        URL, where the batch was given one.

    Returns
    -------
    Path
        The signature document.

    Raises
    ------
    VerificationError
        The folder is not as its trail says: nothing is signed.
    InputError
        It is no output folder of a batch.
    UsageError
        No name or meaning, no time stamp to be had, a place that can't be written to, or that a run
        writes to.
    """
    from aavqc.store import Anchor

    out = Path(out)
    if not name.strip() or not meaning.strip():
        raise UsageError("a signature needs the signer's name and its meaning")
    if not (out / FILE).is_file():
        raise InputError("no output folder of a batch", file=str(out), expected=FILE)
    with alone(out):
        trail, opened = whole_trail(out, store)
        if findings := altered_files(out, trail):
            raise findings[0]
        statement = Statement(
            chain=trail.chain,
            length=len(trail.entries),
            head=trail.head,
            lots=_lots(out, trail),
            name=name,
            meaning=meaning,
            time=now(),
        )
        file = f"signatures/{len(trail.entries) + 1:06d}.json"
        write_bytes(out / file, canonical(make_signature(statement, signer, stamper)) + b"\n")
        last = trail.entries[-1]
        said = {"run": last.run, "event": "signed", "actor": name, "reason": meaning}
        written = {"file": file, "sha256": file_hash(out / file)}
        entry, _ = append(out / FILE, last, trail.size, said | written)
        opened.advance(Anchor(trail.chain, entry.seq, entry.hash))
        return out / file


def check_signatures(
    out: Path, trail: Trail, altered: frozenset[str], trust: Trust
) -> tuple[list[VerificationError], list[str]]:
    """Return what of the signatures does not hold, and what does.

    Parameters
    ----------
    out : Path
    trail : Trail
    altered : frozenset of str
        Files that are found to be other than written: they are not looked at.
    trust : Trust
    """
    findings: list[VerificationError] = []
    valid: list[tuple[AuditEntry, Statement, str]] = []
    for entry in trail.entries:
        if entry.event != "signed" or entry.file is None or entry.file in altered:
            continue
        try:
            document = read_json(out / entry.file, SignatureDocument)
            _of_this_trail(document.statement, trail, entry)
            valid.append((entry, document.statement, checked(document, trust)))
        except VerificationError as error:
            error.in_file(entry.file)
            findings.append(error)
    signed = {(lot.file, lot.sha256) for _, statement, _ in valid for lot in statement.lots}
    said = []
    for entry, statement, shown in valid:
        outdated = [lot.file for lot in statement.lots if trail.files.get(lot.file) != lot.sha256]
        unsigned = [file for file in outdated if (file, trail.files.get(file)) not in signed]
        if unsigned:
            findings.append(
                VerificationError(
                    f"{unsigned[0]} was written again since it was signed",
                    file=entry.file,
                    hint="look at what has changed, and sign again",
                )
            )
            continue
        state = "an earlier state" if outdated else f"entries 1 to {statement.length} of the trail"
        said.append(f"{entry.file}: {statement.name}, {statement.meaning}, {state}; {shown}")
    return findings, said


def _of_this_trail(statement: Statement, trail: Trail, entry: AuditEntry) -> None:
    """Refuse a signature that was made of another folder, or of another moment of this one."""
    signed = (statement.chain, statement.length, statement.head)
    if signed != (trail.chain, entry.seq - 1, entry.previous):
        raise VerificationError(
            "a signature of something else",
            expected=f"entries up to {entry.previous[:16]}…",
            found=f"{statement.head[:16]}…",
        )


def _lots(out: Path, trail: Trail) -> list[SignedFile]:
    overall: Mapping[str, Evaluation] = {
        entry.file: Evaluation.load(out / entry.file)
        for entry in Manifest.load(out / "manifest.json").evaluations
    }
    return [
        SignedFile(file=file, sha256=trail.files[file], lot=found.lot, overall=found.overall)
        for file, found in sorted(overall.items())
    ]
