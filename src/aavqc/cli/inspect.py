"""``formats`` and ``inspect``: what can be read, and what a path holds."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from aavqc.cli.output import command, data_channel, printable, talk
from aavqc.errors import EXIT_INPUT, EXIT_OK, AavqcError


@command
def formats(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """What can be read, and how well supported."""
    from aavqc.parsers import formats as known

    rows = [
        {
            "name": f.name,
            "technique": f.technique,
            "support": f.support,
            "title": f.title,
            "vendor": f.vendor,
            "extensions": list(f.extensions),
            "reads": f.reads,
            "unread": f.unread,
        }
        for f in sorted(known(), key=lambda f: f.technique)
    ]
    with data_channel() as out:
        if as_json:
            out.write(json.dumps({"schema": "aavqc.formats/1", "formats": rows}, ensure_ascii=False) + "\n")
        else:
            width = max(len(str(row["name"])) for row in rows)
            for row in rows:
                said = f"{row['name']:<{width}} {row['technique']:<5} {row['support']:<12} "
                out.write(f"{said}{row['title']}\n{'':<{len(said)}}reads: {row['reads']}\n")
    return EXIT_OK


@command
def inspect(
    path: Annotated[str, typer.Argument(help="File, folder or zip.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """What an export is: records, metadata and the fate of every file."""
    with data_channel() as out:
        from aavqc.documents import plain
        from aavqc.parsers import read_export, survey

        found = survey(path)
        records, failures = [], [row for row in found.files if row.status == "failed"]
        for export in found.exports:
            entry: dict[str, Any] = {
                "name": export.name,
                "technique": export.technique,
                "format": export.format,
            }
            entry |= {"sample_id": export.sample_id, "files": len(export.files)}
            try:
                record = read_export(export)
                entry |= {"metadata": plain(record.describe()), "remarks": list(record.remarks)}
            except AavqcError as error:
                entry["error"] = str(error)
            records.append(entry)
        document: dict[str, Any] = {
            "schema": "aavqc.inspection/1",
            "records": records,
            "files": [
                {
                    "name": r.name,
                    "sha256": r.sha256,
                    "status": r.status,
                    "reason": r.reason,
                    "record": r.record,
                }
                for r in found.files
            ],
        }
        if as_json:
            out.write(json.dumps(document, ensure_ascii=False) + "\n")
        else:
            out.write(printable(_shown(records, document["files"])))
    broken = len(failures) + sum("error" in r for r in records)
    if broken or not records:
        talk(f"{broken} problem(s), {len(records)} record(s)")
    return EXIT_INPUT if broken or not records else EXIT_OK


def _shown(records: list[dict[str, Any]], files: list[dict[str, Any]]) -> str:
    lines = []
    for record in records:
        lines.append(
            f"{record['name']}: {record['technique']}, {record['format']}, {record['files']} file(s)"
        )
        lines.append(f"  sample_id: {record['sample_id']}")
        for key, value in record.get("metadata", {}).items():
            lines.append(f"  {key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
        lines += [f"  note: {remark}" for remark in record.get("remarks", [])]
        if "error" in record:
            lines.append(f"  problem: {record['error']}")
    rest = [f for f in files if f["status"] != "used"]
    if rest:
        lines.append("files not used:")
        said = {f["name"]: "failed: " if f["status"] == "failed" else "" for f in rest}
        lines += [f"  {f['name']}: {said[f['name']]}{f['reason']}" for f in rest]
    lines.append(f"{len(files) - len(rest)} file(s) used, {len(rest)} not")
    return "\n".join(lines) + "\n"
