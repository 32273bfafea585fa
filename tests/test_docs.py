"""The documentation: its blocks run and print what it says, its links lead somewhere, its lists are whole."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_generated" not in p.parts)
FRONT = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data" / "specifications" / "README.md"]

RUN_ELSEWHERE = {DOCS / "lims.md"}
"""Pages whose blocks are files of ``examples/``, or need a server: tests of their own run those."""

COMMON_FOLDER = "aavqc-demo"
RUN = ("python", "sh")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text and line, and whether it stands right behind another."""

    language: str
    text: str
    line: int
    follows: bool

    @property
    def file(self) -> str | None:
        """Name of the file that the block is, where its first line says so."""
        found = re.match(r"# ([\w-]+\.toml)\n", self.text)
        return found[1] if found and self.language == "toml" else None


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order; those inside a list lose its indent."""
    lines = page.read_text(encoding="utf-8").splitlines()
    opened, end_of_last = -1, -10
    for n, line in enumerate(lines):
        if not line.lstrip().startswith("```"):
            continue
        if opened < 0:
            opened = n
            continue
        indent = len(lines[opened]) - len(lines[opened].lstrip())
        text = "".join(one[indent:] + "\n" for one in lines[opened + 1 : n])
        between = "".join(lines[end_of_last + 1 : opened]).strip()
        yield Block(lines[opened].strip().strip("`"), text, opened + 2, not between)
        opened, end_of_last = -1, n


WITH_BLOCKS = [
    page
    for page in [FRONT[0], *PAGES]
    if page not in RUN_ELSEWHERE and any(block.language in RUN for block in blocks(page))
]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run ``aavqc demo`` once; every page begins beside a copy of what it left."""
    folder = tmp_path_factory.mktemp("docs")
    shell("aavqc demo", folder)
    return folder / COMMON_FOLDER


def shell(command: str, folder: Path) -> str:
    """Run a block of a page as its reader would, and return what it printed on stdout."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{command}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda p: str(p.relative_to(ROOT)))
def test_blocks_run_and_print_what_the_page_says(
    page: Path,
    demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Run the blocks of a page in order, Python in one namespace; ``...`` stands for any output."""
    shutil.copytree(demo, tmp_path / COMMON_FOLDER)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    printed = None
    for block in blocks(page):
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "python" and block.text.startswith(">>>"):
            examples = doctest.DocTestParser().get_doctest(block.text, names, where, str(page), block.line)
            assert doctest.DocTestRunner().run(examples).failed == 0
            printed = None
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
            printed = capsys.readouterr().out
        elif block.language == "sh" and page.name != "README.md":  # README's install: .ci/run runs those
            printed = shell(block.text, tmp_path)
        elif block.language == "text" and block.follows and printed is not None:
            same = doctest.OutputChecker().check_output(block.text, printed, doctest.ELLIPSIS)
            assert same, f"{where}: it prints\n{printed}"


@pytest.mark.parametrize("page", [*FRONT, *PAGES], ids=lambda p: str(p.relative_to(ROOT)))
def test_tables_of_settings_and_specifications_are_valid(page: Path, tmp_path: Path) -> None:
    from aavqc.methods import load_method
    from aavqc.results import Specification

    load = {"aavqc.specification/1": Specification.load, "aavqc.method/1": load_method}
    for block in blocks(page):
        if block.language != "toml":
            continue
        schema = tomllib.loads(block.text).get("schema")
        if schema in load:
            file = tmp_path / "block.toml"
            file.write_text(block.text, encoding="utf-8")
            load[schema](file)


@pytest.mark.parametrize("page", [*FRONT, *PAGES], ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for target in links(page):
        name, _, anchor = unquote(target).partition("#")
        there = page if not name else page.parent / name
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)
    assert not lost


def links(page: Path) -> Iterator[str]:
    """Yield the targets of links and pictures within the project."""
    text = re.sub(r"^\s*```.*?^\s*```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(<?([^)\s>]+)", re.sub(r"`[^`\n]*`", "", text)):
        if not re.match(r"[a-z]+:", target) and "_generated" not in target:  # the site's build sees to those
            yield target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#{1,4} +(.+?)\s*$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_validation_names_no_test_that_is_gone() -> None:
    page = (DOCS / "validation" / "index.md").read_text(encoding="utf-8")
    written = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named
    assert named - set(re.findall(r"^def (test_\w+)\(", written, flags=re.M)) == set()


def test_the_table_of_the_sample_sheet_is_whole() -> None:
    from aavqc.documents import SheetRow
    from aavqc.sheet import KNOWN

    page = (
        (DOCS / "batch.md")
        .read_text(encoding="utf-8")
        .partition("## The sample sheet")[2]
        .partition("\n## ")[0]
    )
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)", page, flags=re.M))
    assert sorted(rows) == sorted(KNOWN)
    roles = SheetRow.model_json_schema()["properties"]["role"]["enum"]
    assert sorted(re.findall(r"`(\w+)`", rows["role"])) == sorted(
        [*roles, "sample"]
    )  # named, and the default
