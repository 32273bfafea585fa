"""The self-test finds an installation sound, and tells what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import aavqc.selftest as module
from aavqc.cli import app
from aavqc.selftest import Check, SelfTest, installed, run
from aavqc.selftest.check import all_equal, at_most, close, covers


@pytest.fixture(scope="module")
def report() -> SelfTest:
    return run()


def test_this_installation_is_sound(report: SelfTest) -> None:
    assert [c for c in report.checks if c.status == "failed"] == []
    assert {c.name for c in report.checks if c.status == "skipped"} <= {
        "installed files", "sedfit bsa", "two proteins", "bio rad tables",
    }  # fmt: skip
    assert len(report.checks) > 20
    assert all(c.source and c.found for c in report.checks)


@pytest.mark.parametrize(
    "check",
    [
        close("n", "s", 1.0, 1.2, 0.1),
        close("n", "s", 1.0, float("nan"), 0.1),
        at_most("n", "s", 1.0, 1.1),
        covers("n", "s", 1.0, 1.1, 1.2),
        all_equal("n", "s", [1, 2], [1, 3]),
        all_equal("n", "s", [], []),
    ],
)
def test_what_differs_has_failed(check: Check) -> None:
    assert check.status == "failed"


def test_a_changed_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "aavqc").mkdir()
    (tmp_path / "aavqc" / "a.py").write_bytes(b"changed")

    class Located(installed.PackagePath):
        def read_binary(self) -> bytes:
            return (tmp_path / str(self)).read_bytes()

    whole, gone = Located("aavqc/a.py"), Located("aavqc/gone.py")
    for path in (whole, gone):
        path.hash = type("Hash", (), {"mode": "sha256", "value": "of-other-bytes"})()
    monkeypatch.setattr(installed, "files", lambda name: [whole, gone])
    (check,) = installed.installed_files()
    assert check.status == "failed"
    assert "aavqc/a.py" in check.found
    assert "aavqc/gone.py" in check.found


def test_a_failure_is_told_with_exit_6_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Iterator[Check]:
        yield close("before", "s", 1.0, 1.0, 0.1)
        raise ZeroDivisionError("by <zero>")

    monkeypatch.setattr(module, "EQUATIONS", (broken,))
    monkeypatch.setattr(module, "example_lot", lambda: iter([close("after", "s", 1.0, 1.0, 0.1)]))
    monkeypatch.setattr(module, "installed_files", lambda: iter([]))
    for name in ("page.html", "document.json"):
        code = app(["selftest", "--json", "--report", str(tmp_path / name)], standalone_mode=False)
        out = capfd.readouterr().out
        assert code == 6
        told = json.loads(out)
        assert [c["status"] for c in told["checks"][:3]] == ["passed", "failed", "passed"]
        assert told["passed"] is False
    assert "by &lt;zero&gt;" in (tmp_path / "page.html").read_text("utf-8")
    saved = json.loads((tmp_path / "document.json").read_text("utf-8"))
    assert saved["schema"] == "aavqc.selftest/1"


@pytest.mark.parametrize(
    ("options", "said"), [(["--report", "x.doc"], ".html"), (["--reference-data", "nowhere"], "a folder")]
)
def test_wrong_calls(options: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert app(["selftest", *options], standalone_mode=False) == 2
    assert said in capfd.readouterr().err
