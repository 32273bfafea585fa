"""Reports in headless Chromium: silent, asking for nothing, accessible, sortable; as seen and as printed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from aavqc.batch import BatchReport
from aavqc.documents import EvaluationEntry, Manifest
from aavqc.report.html import to_html
from aavqc.report.index import index_page
from aavqc.results import Evaluation
from chromium import Browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
A4 = {"paperWidth": 8.27, "paperHeight": 11.69}
LETTER = {"paperWidth": 8.5, "paperHeight": 11.0}


def absent(message: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = os.environ.get("AAVQC_CHROMIUM") or shutil.which("chromium")
    if program is None:
        absent("no chromium: install it, or set AAVQC_CHROMIUM")
    assert program is not None
    found = Browser(program, tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def axe() -> str:
    path = Path(os.environ.get("AAVQC_AXE", ""))
    if not path.is_file():
        absent("no axe-core: set AAVQC_AXE to its axe.min.js")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages are kept for people."""
    named = os.environ.get("AAVQC_CI_OUTPUT")
    place = Path(named) if named else tmp_path_factory.mktemp("pictures")
    place.mkdir(parents=True, exist_ok=True)
    return place


@pytest.fixture
def example(example_reports: Path) -> Path:
    return example_reports / "report"


@pytest.fixture
def hostile(hostile_reports: Path) -> Path:
    return hostile_reports / "report"


@pytest.fixture(scope="module")
def many(example_batch: BatchReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of 2,000 lots."""
    one = example_batch.evaluations[0]
    lots = [f"LOT-{i}" for i in range(2000)]
    judged: list[Evaluation] = [
        one.model_copy(update={"lot": lot, "overall": "OOS" if i % 100 == 7 else "PASS"})
        for i, lot in enumerate(lots)
    ]
    entries = [
        EvaluationEntry(lot=e.lot, specification="EX-DP", overall=e.overall, file=f"lots/{e.lot}.json")
        for e in judged
    ]
    manifest = Manifest(schema="aavqc.manifest/1", files=[], problems=[], evaluations=entries)
    path = tmp_path_factory.mktemp("many") / "index.html"
    path.write_bytes(to_html(index_page(manifest, judged)))
    return path


def address(path: Path) -> str:
    return f"file://{quote(str(path))}"


def violations(browser: Browser, axe: str) -> list[str]:
    browser.run(f"{axe};0")
    options = json.dumps({"runOnly": RULES, "resultTypes": ["violations"]})
    report = browser.run(f"axe.run(document, {options}).then(found => JSON.stringify(found.violations))")
    return [f"{v['id']}: {node['html'][:200]}" for v in json.loads(report) for node in v["nodes"]]


def column(browser: Browser, title: str) -> list[str]:
    """The cells of the rows that are seen, of the first table's column with this title."""
    return browser.run(
        "(() => { const table = document.querySelector('main table');"
        "const i = [...table.tHead.rows[0].cells]"
        f".findIndex(c => c.textContent.trim() === {json.dumps(title)});"
        "return [...table.tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[i].textContent); })()"
    )


def press(browser: Browser, title: str) -> None:
    browser.run(
        "[...document.querySelector('main table').tHead.querySelectorAll('button')]"
        f".find(b => b.textContent.trim() === {json.dumps(title)}).click()"
    )


def check(browser: Browser, axe: str, page: Path) -> None:
    """Load a page wide and narrow: silent, asking for nothing but itself, no wider than the window."""
    for width in (1280, 360):
        browser.width(width)
        browser.go(address(page))
        assert browser.requests == [address(page)]
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert violations(browser, axe) == []
        assert browser.run("document.querySelectorAll('img:not([src^=\"data:\"])').length") == 0
        loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
        assert browser.run(loaded)
        assert browser.complaints == []


@pytest.mark.req("REPORT-001")
def test_the_example_lot_s_report_is_silent_and_accessible(browser: Browser, axe: str, example: Path) -> None:
    check(browser, axe, example / "EX24-001.html")
    check(browser, axe, example / "index.html")


@pytest.mark.req("REPORT-002")
def test_hostile_names_are_silent_and_accessible(browser: Browser, axe: str, hostile: Path) -> None:
    pages = sorted(hostile.glob("*.html"))
    assert len(pages) == 6
    for page in pages:
        check(browser, axe, page)


def test_links_of_the_index_lead_to_reports_whatever_their_names(browser: Browser, hostile: Path) -> None:
    browser.go(address(hostile / "index.html"))
    links = browser.run("[...document.querySelectorAll('tbody th a')].map(a => a.href)")
    assert len(links) == 5
    for link in links:
        browser.go(link)
        assert browser.run("document.querySelector('h1').textContent").startswith("Lot report")


def test_anchors_lead_to_their_sections(browser: Browser, example: Path) -> None:
    browser.width(1280)
    browser.go(address(example / "EX24-001.html"))
    for anchor in browser.run("[...document.querySelectorAll('nav a')].map(a => a.hash)"):
        browser.run(f"document.querySelector('nav a[href=\"{anchor}\"]').click()")
        at = browser.run("document.querySelector(':target').getBoundingClientRect().top")
        end = browser.run("innerHeight + scrollY >= document.documentElement.scrollHeight - 1")
        assert end or 0 <= at < 60, anchor


def test_a_narrow_screen_shows_results_verdicts_and_whole_figures(browser: Browser, example: Path) -> None:
    browser.width(360)
    browser.go(address(example / "EX24-001.html"))
    ends = "Math.max(...[...document.querySelectorAll('%s')].map(e => e.getBoundingClientRect().right))"
    for shown in ("#certificate + div tr > :nth-child(3)", "img"):
        assert browser.run(ends % shown) <= 360
    cue = "getComputedStyle(document.querySelector('#certificate + div'), '::before').content"
    assert "scroll" in browser.run(cue)


def test_sorting_goes_by_value_and_back(browser: Browser, example: Path) -> None:
    browser.go(address(example / "EX24-001.html"))
    before = column(browser, "Test")
    press(browser, "Test")
    assert column(browser, "Test") == sorted(before)
    press(browser, "Test")
    assert column(browser, "Test") == sorted(before, reverse=True)
    state = "document.querySelector('main th[aria-sort]').getAttribute('aria-sort')"
    assert browser.run(state) == "descending"


def test_the_index_of_2000_lots_sorts_and_narrows(browser: Browser, many: Path) -> None:
    browser.width(1280)
    browser.go(address(many))
    assert len(column(browser, "Lot")) == 2000
    press(browser, "Lot")
    press(browser, "Lot")
    assert column(browser, "Lot")[:2] == ["LOT-1999", "LOT-1998"]  # not LOT-999: numbers in names count
    browser.run(
        "(() => { const s = document.querySelector('select'); s.value = 'OOS';"
        "s.dispatchEvent(new Event('change')); })()"
    )
    assert len(column(browser, "Lot")) == 20
    browser.run(
        "(() => { const s = document.querySelector('input'); s.value = 'lot-7';"
        "s.dispatchEvent(new Event('input')); })()"
    )
    assert column(browser, "Lot") == ["LOT-707", "LOT-7"]
    assert browser.run("document.querySelector('.filter output').textContent") == "2 of 2000"
    assert browser.complaints == []


def test_a_number_under_the_pointer_is_shown_unrounded(browser: Browser, example: Path) -> None:
    browser.go(address(example / "EX24-001.html"))
    browser.run(
        "[...document.querySelectorAll('td.number')].find(c => c.textContent.startsWith('9.852E12'))"
        ".dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))"
    )
    shown = browser.run("document.getElementById('exact').textContent")
    assert shown.startswith("98523")
    assert float(shown) == pytest.approx(9.852e12, rel=1e-3)


def test_all_is_there_without_script(browser: Browser, example: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.go(address(example / "EX24-001.html"))
        document = browser.call("DOM.getDocument")["root"]["nodeId"]
        found = browser.call("DOM.querySelectorAll", nodeId=document, selector="tbody tr")["nodeIds"]
        assert len(found) > 100
        assert (
            browser.call("DOM.querySelectorAll", nodeId=document, selector="button, input")["nodeIds"] == []
        )
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_pictures_of_the_pages_are_kept(browser: Browser, example: Path, hostile: Path, kept: Path) -> None:
    pages = {"lot": example / "EX24-001.html", "index": example / "index.html"}
    for name, page in {**pages, "hostile": next(hostile.glob("%3C*.html"))}.items():
        browser.go(address(page))
        for width in (360, 1280):
            browser.width(width)
            browser.picture(kept / f"{name}-{width}.png")
    browser.go(address(pages["lot"]))
    for paper, size in (("a4", A4), ("letter", LETTER)):
        browser.printed(kept / f"lot-{paper}.pdf", **size)
    assert len({path.read_bytes() for path in kept.glob("lot-*.p*")}) == 4
