"""The audit trail: every line bound to the one before, its head in the store, nobody appends to a lie."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import jsonschema
import pytest

import aavqc
from aavqc.batch import run
from aavqc.batch.audit import AuditEntry, append, read_trail
from aavqc.batch.jobs import Done
from aavqc.batch.verify import verify
from aavqc.errors import UsageError, VerificationError
from aavqc.store import Store

SCHEMA = Path(aavqc.__file__).parent / "schemas" / "audit.json"


@pytest.fixture
def plate(example_lot: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "plate"
    folder.mkdir()
    shutil.copy(example_lot / "ddpcr" / "EX24-001.csv", folder / "a.csv")
    shutil.copy(example_lot / "method_ddpcr.toml", folder)
    return folder


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    last, size = None, 0
    for n in range(4):
        said = {"run": "r", "event": "written", "actor": "ü"}
        last, size = append(path, last, size, {**said, "file": f"{n}.json", "sha256": f"{n:064x}"})
    return path


def test_every_line_is_an_entry_of_the_committed_schema(plate: Path, tmp_path: Path) -> None:
    run(plate, tmp_path / "out", actor="A. Nalyst", reason="release of lot 7")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    lines = (tmp_path / "out" / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        jsonschema.validate(json.loads(line), schema)
    entries = read_trail(tmp_path / "out" / "audit.jsonl").entries
    assert len(entries) == len(lines)
    assert (entries[0].event, entries[-1].event) == ("run_begun", "run_ended")
    assert {(e.actor, e.reason) for e in entries} == {("A. Nalyst", "release of lot 7")}
    assert entries[0].details["source"] == str(plate)


def test_a_second_run_enters_its_begin_and_its_end_alone(plate: Path, tmp_path: Path) -> None:
    run(plate, tmp_path / "out")
    before = read_trail(tmp_path / "out" / "audit.jsonl")
    run(plate, tmp_path / "out")
    after = read_trail(tmp_path / "out" / "audit.jsonl")
    assert after.entries[: len(before.entries)] == before.entries
    assert [e.event for e in after.entries[len(before.entries) :]] == ["run_begun", "run_ended"]
    assert after.files == before.files


def test_a_change_of_any_byte_is_found_in_its_line(trail: Path) -> None:
    data = trail.read_bytes()
    starts = [0, *(i + 1 for i, byte in enumerate(data) if byte == ord("\n"))]
    for at in range(0, len(data) - 1, 3):
        trail.write_bytes(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :])
        with pytest.raises(VerificationError) as caught:
            read_trail(trail)
        assert caught.value.line == sum(start <= at for start in starts), at
    trail.write_bytes(data[:-1] + b"*")  # the last line's end
    assert len(read_trail(trail).entries) == 3
    assert read_trail(trail).torn


@pytest.mark.parametrize("change", ["removed", "swapped", "doubled"])
def test_entries_removed_or_moved_are_found(trail: Path, change: str) -> None:
    lines = trail.read_bytes().splitlines(keepends=True)
    changed = {
        "removed": [lines[0], *lines[2:]],
        "swapped": [lines[0], lines[2], lines[1], lines[3]],
        "doubled": [*lines[:2], *lines[1:]],
    }
    trail.write_bytes(b"".join(changed[change]))
    with pytest.raises(VerificationError, match=r"removed, added or moved|not what its hash"):
        read_trail(trail)


def forged(path: Path) -> None:
    """Write the last entry anew, with hashes that fit."""
    *_, before, last = read_trail(path).entries
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    said = {"run": last.run, "event": "run_ended", "actor": "another"}
    append(path, before, sum(map(len, lines[:-1])), said)


def cut(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


@pytest.mark.parametrize("change", [forged, cut])
def test_nothing_is_added_to_a_trail_whose_end_is_not_the_stores(
    plate: Path, tmp_path: Path, change: object
) -> None:
    out = tmp_path / "out"
    run(plate, out)
    assert callable(change)
    change(out / "audit.jsonl")
    before = (out / "audit.jsonl").read_bytes()
    with pytest.raises(VerificationError, match="cut off or rewritten"):
        run(plate, out)
    assert (out / "audit.jsonl").read_bytes() == before


def test_a_trail_that_was_taken_away_is_missed(plate: Path, tmp_path: Path) -> None:
    run(plate, tmp_path / "out")
    (tmp_path / "out" / "audit.jsonl").unlink()
    with pytest.raises(VerificationError, match="not the audit trail that the store knows"):
        run(plate, tmp_path / "out")


def test_a_line_that_a_killed_run_left_torn_is_cut_and_the_trail_says_so(plate: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(plate, out)
    with open(out / "audit.jsonl", "ab") as stream:
        stream.write(b'{"actor":null,"det')
    run(plate, out)
    entries = read_trail(out / "audit.jsonl").entries
    (recovered,) = [e for e in entries if e.event == "recovered"]
    assert recovered.details["cut"]["bytes"] == 18
    (anchor,) = Store(out / "aavqc.sqlite").anchors()
    assert (anchor.length, anchor.head) == (len(entries), entries[-1].hash)


@pytest.mark.parametrize(
    ("actor", "reason", "missing"),
    [(None, "why", "--actor"), ("who", " ", "--reason"), (None, None, "--actor and --reason")],
)
def test_a_regulated_method_needs_actor_and_reason(
    plate: Path, tmp_path: Path, actor: str | None, reason: str | None, missing: str
) -> None:
    method = plate / "method_ddpcr.toml"
    method.write_text(method.read_text() + "regulated = true\n")
    with pytest.raises(UsageError) as caught:
        run(plate, tmp_path / "out", actor=actor, reason=reason)
    assert caught.value.expected == missing
    assert not (tmp_path / "out" / "audit.jsonl").exists()
    assert run(plate, tmp_path / "out", actor="who", reason="why").results


def test_a_run_holds_its_output_folder(plate: Path, tmp_path: Path) -> None:
    refused = []

    def another(done: Done, n: int, total: int) -> None:
        with pytest.raises(UsageError, match="another run writes") as caught:
            run(plate, tmp_path / "out")
        refused.append(caught.value.exit_code)

    run(plate, tmp_path / "out", on_done=another)
    assert refused == [2]
    assert run(plate, tmp_path / "out").kept == 1
    assert verify(tmp_path / "out").findings == []


def test_two_runs_at_once_never_fork_the_trail(
    plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without locks the one that finds the other's entries gives up; the next run mends what it wrote."""
    shutil.copy(plate / "a.csv", plate / "b.csv")

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)

    def another(done: Done, n: int, total: int) -> None:
        if n == 1:
            run(plate, tmp_path / "out")

    with pytest.raises(UsageError, match="another run writes"):
        run(plate, tmp_path / "out", on_done=another)
    assert read_trail(tmp_path / "out" / "audit.jsonl").entries[-1].event == "run_ended"
    run(plate, tmp_path / "out")
    assert verify(tmp_path / "out").findings == []


def test_an_entry_reads_back_as_written(trail: Path) -> None:
    first = json.loads(trail.read_bytes().splitlines()[0])
    assert AuditEntry.model_validate(first).actor == "ü"
    assert first["previous"] == "0" * 64
