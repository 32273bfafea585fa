"""One comparison of a self-test, and the document of them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from aavqc.documents import Document, Platform

Status = Literal["passed", "failed", "skipped"]


class Check(Document):
    """What was expected, from whom, and what was found here."""

    name: str
    source: str = Field(description="where the expected value is from")
    expected: str
    found: str
    status: Status


class SelfTest(Document):
    """The self-test of an installation (``aavqc.selftest/1``)."""

    schema_: Literal["aavqc.selftest/1"] = Field("aavqc.selftest/1", alias="schema")
    created: str = Field(description="by this machine's clock, UTC")
    aavqc: str
    python: str
    platform: Platform
    passed: bool = Field(description="no check failed; skipped ones are listed")
    checks: list[Check]


def close(name: str, source: str, expected: float, found: float, within: float, unit: str = "") -> Check:
    """Compare two numbers; ``within`` is what the source's digits or the method's error allow."""
    return Check(
        name=name,
        source=source,
        expected=f"{expected:.6g} ± {within:.2g} {unit}".strip(),
        found=f"{found:.6g} {unit}".strip(),
        status="passed" if abs(found - expected) <= within else "failed",
    )


def at_most(name: str, source: str, limit: float, found: float, unit: str = "") -> Check:
    """Compare with what another program left over."""
    return Check(
        name=name,
        source=source,
        expected=f"at most {limit:.6g} {unit}".strip(),
        found=f"{found:.6g} {unit}".strip(),
        status="passed" if found <= limit else "failed",
    )


def covers(name: str, source: str, truth: float, low: float, high: float, unit: str = "") -> Check:
    """Tell whether an interval holds the truth."""
    return Check(
        name=name,
        source=source,
        expected=f"{truth:.6g} {unit}".strip(),
        found=f"{low:.6g} – {high:.6g} {unit}".strip(),
        status="passed" if low <= truth <= high else "failed",
    )


def all_equal(name: str, source: str, expected: Sequence[object], found: Sequence[object]) -> Check:
    """Compare one by one; the first that differs is shown."""
    wrong = [(e, f) for e, f in zip(expected, found, strict=True) if e != f]
    return Check(
        name=name,
        source=source,
        expected=f"{len(expected)} equal" if not wrong else str(wrong[0][0]),
        found=f"{len(expected)} equal" if not wrong else f"{wrong[0][1]}; {len(wrong)} differ",
        status="failed" if wrong or not expected else "passed",
    )
