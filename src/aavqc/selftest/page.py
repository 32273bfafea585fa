"""A self-test as a page that a validation file can hold."""

from __future__ import annotations

from aavqc.documents import digest
from aavqc.report.content import Blanks, Cell, Headline, Page, Section, Table, Text
from aavqc.selftest.check import SelfTest


def self_test_page(report: SelfTest) -> Page:
    """Return the page: what was compared, with whose numbers, on which machine."""
    counts = {s: sum(c.status == s for c in report.checks) for s in ("passed", "failed", "skipped")}
    told = ", ".join(f"{n} {status}" for status, n in counts.items())
    platform = report.platform
    facts = {
        "Library": f"aavqc {report.aavqc}",
        "Time, by this machine's clock": report.created,
        "Python": report.python,
        "Machine": f"{platform.machine}, {platform.cpu}",
        "Linear algebra": platform.blas,
    } | dict(platform.versions)
    checks = Table(
        "Checks, with the source of each expected value",
        ("Check", "Expected", "Found", "Status", "Source"),
        tuple(tuple(map(Cell, (c.name, c.expected, c.found, c.status, c.source))) for c in report.checks),
    )
    versions = Table(
        "What it ran on", ("What", "Found"), tuple((Cell(name), Cell(value)) for name, value in facts.items())
    )
    return Page(
        title="Self-test of aavqc",
        summary=(
            Headline("PASS" if report.passed else "INVALID", f"{told}."),
            Text(
                "The library computes here what it should, as far as these checks go. They are part of an "
                "operational qualification; whether it fits your purpose is for your own validation."
                if report.passed
                else "A check failed: until it is explained, no number of this installation can be trusted.",
                warning=not report.passed,
            ),
        ),
        sections=(
            Section("checks", "Checks", (checks,)),
            Section("platform", "Installation", (versions,)),
            Section("review", "Review", (Blanks(("Name", "Date", "Signature")),)),
        ),
        source=digest(report),
    )
