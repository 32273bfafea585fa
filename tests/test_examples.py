"""The gallery runs as it stands, and its page shows what it makes."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"
MADE = {
    "auc_fit.py": {"auc_fit.png"},
    "cdms_masses.py": {"cdms_masses.png"},
    "ddpcr_plate.py": {"ddpcr_clusters.png", "ddpcr_calls.png", "ddpcr_replicates.png"},
    "lot_limits.py": {"lot_limits.png", "lot_agreement.png"},
}


@pytest.mark.parametrize("script", sorted(MADE))
def test_an_example_makes_its_pictures(script: str, tmp_path: Path) -> None:
    runpy.run_path(str(EXAMPLES / script))["main"](tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == MADE[script]
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


def test_the_gallerys_page_names_every_script_and_picture() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([\w.]+)\)", page))
    assert linked == set(MADE) | set().union(*MADE.values())
    assert {p.name for p in EXAMPLES.glob("*.p*")} == linked
