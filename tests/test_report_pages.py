"""Reports: what they say, the same bytes whenever they are made, and that nothing in them is code."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from aavqc.batch import run
from aavqc.cli.run_batch import report_lots as after_batch
from aavqc.cli.stderr import talking
from aavqc.documents import Manifest, ResultDocument, canonical
from aavqc.errors import InputError, UsageError
from aavqc.report import measurements as measured
from aavqc.report.content import Blanks, Cell, Headline, Page, Section, Table, Text, short, shown
from aavqc.report.html import element, to_html
from aavqc.report.write import write_reports
from aavqc.results import Evaluation
from hostile_lots import FORMULA, LONG, NAMES, PICTURED, TAG


class Reader(HTMLParser):
    """Collects what a page holds, and complains of elements that are not closed in their order."""

    VOID = frozenset({"meta", "img"})

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            return
        self.texts.append(data)
        if any(tag in ("td", "th") for tag in self.open):
            self.rows[-1][-1] += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    def values(self, tag: str, attribute: str) -> list[str]:
        return [a[attribute] or "" for name, a in self.elements if name == tag and attribute in a]

    @property
    def text(self) -> str:
        return " ".join(self.texts)


@pytest.fixture
def out(example_reports: Path) -> Path:
    return example_reports


@pytest.fixture
def hostile(hostile_reports: Path) -> Path:
    return hostile_reports


@pytest.fixture
def lot(out: Path) -> Reader:
    return Reader((out / "report" / "EX24-001.html").read_bytes())


def test_the_report_says_first_what_was_judged(lot: Reader) -> None:
    text = lot.text
    assert "Evaluation against specification EX-DP version 1 (approved); not a batch disposition." in text
    titles = [
        "Certificate table", "Attributes on their limits", "All warnings", "Analytical ultracentrifugation",
        "Charge-detection mass spectrometry", "Droplet digital PCR", "Agreement of the methods",
        "Manual changes", "Audit page", "Review",
    ]  # fmt: skip
    found = [text.rindex(title) for title in titles]
    assert found == sorted(found)


def test_the_certificate_has_every_test_with_its_result_and_reason(lot: Reader) -> None:
    warned = sum(row[:2] == ["EX24-001 vial 4", "warning"] for row in lot.rows)
    assert warned > 0
    row = next(row for row in lot.rows if row[0] == "titer-ddpcr")
    assert row == [
        "titer-ddpcr", "9.85E12 vg/mL", "✓ PASS", "8.00E12 – 1.30E13 vg/mL", str(warned),
        "9.85E12 vg/mL conforms to 8.00E12 – 1.30E13 vg/mL", "vg_titer[CAG] by ddpcr", "EX-TP-003 v1",
    ]  # fmt: skip
    row = next(row for row in lot.rows if row[0] == "full-cdms")
    assert row[1] == "79.6 % (n\u00a0=\u00a02)"
    assert sum(row[2:3] == ["✓ PASS"] for row in lot.rows) == 7


def test_the_first_page_says_what_it_is_of_and_that_there_are_warnings(lot: Reader, out: Path) -> None:
    assert "Product: Example AAV vector, drug product (fictitious); purpose: release" in lot.text
    said = [row for row in lot.rows if len(row) == 4 and row[1] in ("warning", "invalid")]
    results = len({row[3] for row in said})
    assert f"{len(said)} warnings in {results} results" in lot.texts
    assert "#warnings" in lot.values("a", "href")
    page = (out / "report" / "EX24-001.html").read_text(encoding="utf-8")
    assert 'content: "Lot\\20 EX24\\2D 001\\2C \\20 specification' in page


def test_a_lot_s_name_ends_no_rule_of_style() -> None:
    page = to_html(Page("t", (), (), "", identity='</style>"; }')).decode()
    assert page.count("</style>") == 1
    assert '"\\3C \\2F style\\3E \\22 \\3B \\20 \\7D "' in page


def test_one_result_is_written_one_way(lot: Reader) -> None:
    rows = [row for row in lot.rows if row[0] == "overfull-auc"]
    written = [text for row in rows for text in row if "0.65" in text and "reported" not in text]
    assert [text.removesuffix(" %") for text in written] == ["ND, <0.65"] * 3
    assert any(row[:2] == ["percent_overfull", "ND, <0.65"] for row in lot.rows)


def test_the_one_of_two_results_that_decides_has_its_interval(lot: Reader) -> None:
    deciding = [row[1:5] for row in lot.rows if row[0] == "full-cdms" and row[6:8] == ["NLT 70.0 %", "2"]]
    measured = [[row[1], *row[3:6]] for row in lot.rows if row[0] == "percent_full" and len(row) == 8]
    assert len(deciding) == 1
    assert deciding[0][1] != "not stated"
    assert deciding[0] in measured


def test_the_audit_page_has_hashes_versions_settings_and_what_was_left_out(lot: Reader, out: Path) -> None:
    manifest = Manifest.load(out / "manifest.json")
    for entry in manifest.files:
        if entry.job:
            assert entry.sha256 in lot.text
            assert entry.job in lot.text
    assert ["auc/truth.json", "ignored", "truth of a simulation"] in [row[:3] for row in lot.rows]
    assert ["samples.csv", "ignored", "sample sheet"] in [row[:3] for row in lot.rows]
    assert ["density", "1", "method example-auc version 1"] in lot.rows
    assert ["class_bounds", "0.1, 0.85, 1.1", "default of the library"] in lot.rows
    assert "auc.cs/1" in lot.text


def test_every_link_within_the_report_leads_somewhere(lot: Reader, out: Path) -> None:
    ids = [a["id"] for _, a in lot.elements if "id" in a]
    assert len(ids) == len(set(ids))
    anchors = [href for href in lot.values("a", "href") if href.startswith("#")]
    assert len(anchors) > 8
    assert {href[1:] for href in anchors} <= set(ids)
    index = Reader((out / "report" / "index.html").read_bytes())
    pages = [unquote(href) for href in index.values("a", "href") if not href.startswith("#")]
    assert pages == ["EX24-001.html"]


def test_tables_have_captions_scopes_and_figures_have_words(lot: Reader) -> None:
    assert lot.count("table") == lot.count("caption") > 20
    assert {scope for scope in lot.values("th", "scope")} == {"col", "row"}
    assert lot.count("th") == len(lot.values("th", "scope"))
    assert lot.count("img") >= 3
    assert all(lot.values("img", "alt"))
    assert all(source.startswith("data:image/") for source in lot.values("img", "src"))


def test_the_command_makes_the_same_bytes_whenever_it_is_run(out: Path, tmp_path: Path) -> None:
    """Another folder, another day, another process; with PDF."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(out, copy)
    shutil.rmtree(copy / "report")
    command = [sys.executable, "-m", "aavqc", "report", str(copy)]
    seeded = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=seeded)
    assert done.stdout == f"{copy / 'report' / 'index.html'}\n"
    made = {path.name: path.read_bytes() for path in (copy / "report").iterdir()}
    assert sorted(made) == ["EX24-001.html", "EX24-001.pdf", "index.html"]
    for page in (out / "report").glob("*.html"):
        assert made[page.name] == page.read_bytes()
        assert str(out).encode() not in page.read_bytes()


def test_only_what_changed_is_made_again(hostile: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(hostile, out)
    pages = {page: page.stat().st_mtime_ns for page in (out / "report").glob("*%*.html")}
    assert write_reports(out, changed=True).kept == 5
    assert {page: page.stat().st_mtime_ns for page in pages} == pages
    entry = next(e for e in Manifest.load(out / "manifest.json").evaluations if e.lot == FORMULA)
    evaluation = Evaluation.load(out / entry.file)
    (out / entry.file).write_bytes(canonical(evaluation.model_copy(update={"warnings": ["another"]})))
    assert write_reports(out, changed=True).made == 1
    assert sum(page.stat().st_mtime_ns != was for page, was in pages.items()) == 1


def test_hostile_names_are_text_and_nothing_else(hostile: Path) -> None:
    manifest = Manifest.load(hostile / "manifest.json")
    assert {entry.lot for entry in manifest.evaluations} == set(NAMES)
    pages = sorted((hostile / "report").glob("*.html"))
    assert len(pages) == 1 + len(NAMES)
    for page in pages:
        read = Reader(page.read_bytes())
        assert read.count("script") == 1
        assert not [name for _, a in read.elements for name in a if name.startswith("on")]
        assert not {name for name, _ in read.elements} & {"b", "svg", "iframe", "object", "link", "base"}
        assert all(source.startswith("data:") for source in read.values("img", "src"))
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", read.text)
    index = Reader((hostile / "report" / "index.html").read_bytes())
    for lot in (TAG, LONG, PICTURED, FORMULA):
        assert lot in index.text
    linked = {unquote(href) for href in index.values("a", "href") if not href.startswith("#")}
    assert linked == {page.name for page in pages} - {"index.html"}


def test_a_sample_without_a_row_is_in_no_lot_s_report(hostile: Path) -> None:
    page = Reader(next((hostile / "report").glob("%3Cimg*.html")).read_bytes())
    assert f"ddPCR, replicate {FORMULA}: {TAG}" in page.texts
    assert "ddPCR: NTC" not in page.texts  # on the same plate


def test_a_lot_called_index_does_not_take_the_index_s_place(hostile: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "lots").mkdir(parents=True)
    source = Manifest.load(hostile / "manifest.json").evaluations[0]
    evaluation = Evaluation.load(hostile / source.file).model_copy(update={"lot": "index"})
    (out / "lots" / "index.json").write_bytes(canonical(evaluation))
    entry = source.model_copy(update={"lot": "index", "file": "lots/index.json"})
    manifest = Manifest(schema="aavqc.manifest/1", files=[], problems=[], evaluations=[entry])
    (out / "manifest.json").write_bytes(canonical(manifest))
    write_reports(out)
    index = Reader((out / "report" / "index.html").read_bytes())
    assert (out / "report" / unquote(index.values("a", "href")[-1])).is_file()
    assert sorted(page.name for page in (out / "report").iterdir()) == ["%69ndex.html", "index.html"]


def test_a_folder_that_is_no_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.json"):
        write_reports(tmp_path)


def test_a_report_that_fails_costs_no_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What a batch calls when its results are written: whatever happens, it is told and no more."""
    (tmp_path / "manifest.json").write_text("{")
    with talking(json_lines=False):
        after_batch(tmp_path, None)
    assert "no report: InputError: manifest.json" in capfd.readouterr().err


def test_a_batch_without_a_specification_says_that_nothing_was_judged(
    example_lot: Path, tmp_path: Path
) -> None:
    lot = tmp_path / "lot"
    lot.mkdir()
    shutil.copy(example_lot / "cdms" / "run2.mzML", lot)
    run(lot, tmp_path / "out")
    written = write_reports(tmp_path / "out")
    assert "No lot was judged" in written.index.read_text(encoding="utf-8")


class Inline(Executor):
    """Ships what it is given as a pool of processes would, and runs it here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        fn, args, kwargs = pickle.loads(pickle.dumps((fn, args, kwargs)))  # noqa: S301
        future.set_result(fn(*args, **kwargs))
        return future


def test_an_executor_makes_the_same_pages(hostile: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(hostile, out)
    pages = {page: page.read_bytes() for page in (out / "report").iterdir()}
    for page in pages:
        page.write_text("old")
    assert write_reports(out, executor=Inline()).made == 5
    assert {page: page.read_bytes() for page in pages} == pages


def test_a_lot_of_many_samples_has_figures_of_the_first(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(measured, "MOST_DRAWN", 1)
    monkeypatch.setattr(measured, "figures", lambda _, __, sample: drawn.append(sample.record) or [])
    documents = {path.stem: ResultDocument.load(path) for path in sorted((out / "results").iterdir())}
    samples = {job: document.samples for job, document in documents.items()}
    sections = list(measured.measurements(documents, samples, {job: {} for job in documents}))
    assert drawn == ["auc#cell1", "cdms/run1.csv", "ddpcr/EX24-001.csv"]
    told = [section.id for section in sections if isinstance(section.blocks[0], Text)]
    assert told == ["cdms"]  # the only technique with two samples


# ---------------------------------------------------------------- PDF


def test_pdf_says_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its font lacks is written as code points."""
    from aavqc.report import pdf

    said: list[str] = []
    original = pdf._Writer._text

    def listen(writer: pdf._Writer, text: str) -> str:
        said.append(original(writer, text))
        return said[-1]

    monkeypatch.setattr(pdf._Writer, "_text", listen)
    table = Table("names", ("Name", "Other"), tuple((Cell(n), Cell("OOS", "verdict")) for n in (*NAMES, "")))
    blanks = Blanks(("Signature",))
    page = Page("title", (Headline("PASS", LONG),), (Section("s", PICTURED, (Text(TAG), table, blanks)),), "")
    made = pdf.to_pdf(page)
    assert made.startswith(b"%PDF-")
    assert pdf.to_pdf(page) == made
    missing = [c for c in PICTURED if f"[U+{ord(c):04X}]" not in " ".join(said) and c not in " ".join(said)]
    assert missing == []
    assert "[U+1F9EC]" in " ".join(said)
    for text in ("title", f"✓ PASS: {LONG}", TAG, "names", "Other", "✗ OOS", FORMULA, "Signature"):
        assert text in said


def test_pdf_breaks_no_word_and_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As fpdf2 itself lays the cells out, of more columns than a page is wide."""
    from aavqc.report import pdf

    seen: list[str] = []
    original = pdf._Writer._table

    def listen(writer: pdf._Writer, rows: Any, widths: Any, size: float, **more: Any) -> None:
        original(writer, rows, widths, size, **more)
        for i, row in enumerate(rows):
            writer._pdf.set_font(pdf.FONT, "B" if i == 0 else "", size)
            for text, width in zip(row, widths, strict=True):
                lines = writer._pdf.multi_cell(
                    width, text=text, dry_run=True, output="LINES", padding=(0.4, 1, 0.4, 0)
                )
                assert " ".join(line.rstrip() for line in lines) == text
                seen.append(text)

    monkeypatch.setattr(pdf._Writer, "_table", listen)
    columns = ("Well", *("Undiluted, /mL" for _ in range(20)), "packaged-length-cdms", "SHA-256")
    row = (Cell("A01"), *(Cell("9.705E12", "number") for _ in range(20)), Cell("Coverage"), Cell("a" * 64))
    pdf.to_pdf(Page("t", (Table("Wells", columns, (row, row)),), (), ""))
    assert seen.count("A01") > 2  # each part names its rows
    assert seen.count("9.705E12") == 40


def test_without_the_library_pdf_is_refused_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from aavqc.report.pdf import to_pdf

    monkeypatch.setitem(sys.modules, "fpdf", None)
    with pytest.raises(UsageError, match=r"aavqc\[pdf\]"):
        to_pdf(Page("t", (), (), ""))


# ---------------------------------------------------------------- elements


def test_text_and_attributes_are_escaped() -> None:
    made = element("a", "<b>&", element("i", "x"), href='"><script>', class_=None)
    assert made == '<a href="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;<i>x</i></a>'


def test_characters_that_steer_are_shown_as_such() -> None:
    assert shown("a\u202eb\x1b[2Jc\nd") == "a\ufffdb\ufffd[2Jc d"
    assert shown(PICTURED) == PICTURED


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-12.345, "-12.35"), (1e6, "1.000E6"), (999999.4, "999999"), (4e-5, "4.000E-5"), (12, "12")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text


def test_the_policy_allows_the_page_s_own_script_and_style_only() -> None:
    import base64
    import hashlib

    page = to_html(Page("t", (), (), "")).decode()
    policy = re.search('Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    for tag in ("script", "style"):
        content = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert content is not None
        sha = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{tag}-src &#x27;sha256-{sha}&#x27;" in policy[1]
    assert policy[1].startswith("default-src &#x27;none&#x27;;")
    assert "unsafe" not in policy[1]
