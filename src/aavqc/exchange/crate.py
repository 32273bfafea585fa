"""A run as an RO-Crate 1.1: the files of OUT with a description in JSON-LD, as folder or zip.

The description follows the Process Run Crate: an action with its instrument (aavqc), its objects (the
raw files, by name and hash: they are not in the crate) and its results.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aavqc import __version__
from aavqc.batch.audit import FILE, Trail, read_trail
from aavqc.documents import Manifest
from aavqc.errors import InputError
from aavqc.exchange.source import Finished, new_folder
from aavqc.textfiles import read_bytes, write_bytes

METADATA = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
MEDIA = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".npz": "application/zip",
}
_SHA256 = {"sha256": "https://schema.org/sha256"}

Entity = dict[str, Any]


def write_crate(source: Finished, path: Path) -> list[Path]:
    """Write the files that the audit trail names, the trail itself and their description.

    Raises
    ------
    InputError
        A file is not what the trail says it is.
    """
    trail = read_trail(source.out / FILE)
    if not trail.entries:
        raise InputError("no audit trail", file=FILE, expected="an output folder of a batch")
    contents = dict(_contents(source.out, trail))
    contents[METADATA] = _metadata(source, trail, contents)
    if path.suffix.lower() == ".zip":
        write_bytes(path, _zip(contents))
        return [path]
    new_folder(path)
    for name, data in contents.items():
        write_bytes(path / name, data)
    return [path / name for name in contents]


def _contents(out: Path, trail: Trail) -> Iterator[tuple[str, bytes]]:
    for name, sha256 in sorted(trail.files.items()):
        data = read_bytes(out / name, name)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise InputError("altered bytes: not the file that was written", file=name, hint="aavqc verify")
        yield name, data
    yield FILE, read_bytes(out / FILE, FILE)


def _metadata(source: Finished, trail: Trail, contents: dict[str, bytes]) -> bytes:
    files = [_file(name, data) for name, data in contents.items()]
    raw = _raw(source.manifest)
    graph = [*_head(source, trail, files, raw), *_action(trail, files, raw), *files, *raw]
    document = {"@context": [CONTEXT, _SHA256], "@graph": graph}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _head(source: Finished, trail: Trail, files: list[Entity], raw: list[Entity]) -> list[Entity]:
    lots = sorted({e.lot for e in source.manifest.evaluations if e.lot})
    overall = [f"{e.lot}: {e.overall} by {e.specification}" for e in source.manifest.evaluations]
    return [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"aavqc run, {', '.join(lots) or 'no lot'}",
            "description": "; ".join(overall) or "Results without an evaluation",
            "datePublished": trail.entries[-1].time,
            "license": {"@id": "#license"},
            "conformsTo": {"@id": PROFILE},
            "hasPart": [{"@id": e["@id"]} for e in (*files, *raw)],
            "mentions": {"@id": "#run"},
        },
        {
            "@id": "#license",
            "@type": "CreativeWork",
            "name": "Not stated",
            "description": "Whose the data are, and what others may do with them, the run does not say.",
        },
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
    ]


def _action(trail: Trail, files: list[Entity], raw: list[Entity]) -> list[Entity]:
    begun = next(entry for entry in reversed(trail.entries) if entry.event == "run_begun")
    ended = next((e for e in reversed(trail.entries) if e.event == "run_ended"), trail.entries[-1])
    version = str(begun.details.get("aavqc", __version__))
    action: Entity = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"aavqc batch, run {begun.run}",
        "startTime": begun.time,
        "endTime": ended.time,
        "instrument": {"@id": "#aavqc"},
        "object": [{"@id": e["@id"]} for e in raw],
        "result": [{"@id": e["@id"]} for e in files],
    }
    software = {"@id": "#aavqc", "@type": "SoftwareApplication", "name": "aavqc", "version": version}
    if begun.reason:
        action["description"] = begun.reason
    if begun.actor is None:
        return [action, software]
    person = {"@id": "#actor", "@type": "Person", "name": begun.actor}
    return [action | {"agent": {"@id": "#actor"}}, software, person]


def _file(name: str, data: bytes) -> Entity:
    return {
        "@id": quote(name),
        "@type": "File",
        "name": name,
        "contentSize": str(len(data)),
        "encodingFormat": MEDIA.get(Path(name).suffix, "application/octet-stream"),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _raw(manifest: Manifest) -> list[Entity]:
    """Describe the raw files: named by their hash, and by where they lie below the folder of exports."""
    names: dict[str, list[str]] = {}
    for entry in manifest.files:
        if entry.sha256:
            names.setdefault(entry.sha256, []).append(entry.path)
    return [
        {"@id": f"urn:sha256:{sha256}", "@type": "File", "name": "; ".join(of), "sha256": sha256}
        for sha256, of in names.items()
    ]


def _zip(contents: dict[str, bytes]) -> bytes:
    """Return a zip with the same bytes for the same files (no dates in it)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return stream.getvalue()
