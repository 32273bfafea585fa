"""The house stands as designed: public names, one-way imports, cold start, no scipy.stats."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import aavqc

PACKAGE = Path(aavqc.__file__).parent

PUBLIC = [
    "__version__",
    "read",
    "read_all",
    "analyze",
    "Result",
    "plot",
    "Specification",
    "Evaluation",
    "ResultDocument",
    "Attribute",
    "AttributeSet",
    "VelocityScans",
    "IonTable",
    "DropletPlate",
    "Distribution",
    "AavqcError",
    "UsageError",
    "SeveralRecords",
    "UnitError",
    "SpecificationError",
    "InputError",
    "AssayError",
]

# What each part of the package may import from the others. Kernels: numba, numpy, math only.
TECHNIQUE = {
    "kernels",
    "sequences",
    "textfiles",
    "blas",
    "documents",
    "settings",
    "capsid",
    "validity",
    "intervals",
    "records",
    "attributes",
    "quantities",
    "errors",
}
MAY_IMPORT = {
    "errors": set(),
    "logs": set(),
    "blas": set(),
    "quantities": {"errors"},
    "attributes": {"quantities", "notebook", "errors"},
    "records": {"attributes"},
    "textfiles": {"errors"},
    "notebook": set(),
    "documents": {"attributes", "records", "textfiles", "notebook", "errors"},
    "sequences": {"textfiles", "errors"},
    "settings": {"documents", "quantities", "errors"},
    "capsid": {"settings", "sequences", "documents", "errors"},
    "validity": {"documents"},
    "intervals": set(),
    "kernels": set(),
    "parsers": {"kernels", "records", "attributes", "textfiles", "errors"},
    "auc": TECHNIQUE,
    "cdms": TECHNIQUE,
    "ddpcr": TECHNIQUE,
    "methods": {"documents", "textfiles", "errors"},
    "fingerprint": {"documents"},
    "results": {"documents", "attributes", "quantities", "textfiles", "notebook", "errors"},
    "plate_layout": {"errors"},
    "sheet": {"plate_layout", "parsers", "settings", "documents", "textfiles", "errors"},
    "overruled": {"documents"},
    "result": {"", "fingerprint", "documents", "attributes", "errors"},
    "analysis": {
        "result", "auc", "cdms", "ddpcr", "parsers", "sheet", "overruled", "methods", "settings", "documents",
        "records", "attributes", "errors",
    },
    "batch": {
        "", "store", "signing", "results", "analysis", "parsers", "sheet", "methods", "settings", "kernels",
        "fingerprint", "attributes", "documents", "textfiles", "logs", "errors",
    },
    "exchange": {"", "batch", "results", "documents", "attributes", "textfiles", "errors"},
    "signing": {"documents", "textfiles", "errors"},
    "report": {
        "", "documents", "results", "result", "analysis", "attributes", "quantities", "textfiles", "errors",
    },
    "example": set(),
    "selftest": {
        "", "analysis", "example", "fingerprint", "report", "results", "cdms", "ddpcr", "intervals",
        "kernels", "textfiles", "documents", "records", "attributes", "errors",
    },
    "simulate": {"records", "settings", "documents", "textfiles", "errors"},
    "schemas": {"documents", "results", "batch", "selftest"},
    "store": {"documents", "errors"},
    "cli": {
        "", "selftest", "example", "report", "batch", "exchange", "signing", "simulate", "schemas",
        "analysis", "parsers", "results", "documents", "textfiles", "logs", "errors",
    },
    "__main__": {"cli"},
}  # fmt: skip


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__"), path


def imported(path: Path) -> set[str]:
    """All absolute module names that a file imports, inside functions and for types alike."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_public_names_are_these() -> None:
    assert aavqc.__all__ == PUBLIC
    assert len(PUBLIC) <= 25
    for name in PUBLIC:
        assert getattr(aavqc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = aavqc.nothing


def test_imports_go_one_way() -> None:
    parts = {p.stem if p.is_file() else p.name for p in PACKAGE.iterdir() if not p.name.startswith("_")}
    wrong = []
    for name, path in modules():
        top = name.split(".")[0]
        if not top:  # the lazy public face may name everything
            continue
        assert top in MAY_IMPORT, f"{top}: add it to the table of modules"
        for module in imported(path):
            root, _, rest = module.partition(".")
            target = rest.split(".")[0]
            if root != "aavqc" or target == top or (rest and target not in parts):
                continue
            if target not in MAY_IMPORT[top]:
                wrong.append(f"{name} imports {module}")
    assert not wrong


def test_kernels_import_numba_numpy_and_math_only() -> None:
    for path in (PACKAGE / "kernels").glob("*.py"):
        roots = {module.split(".")[0] for module in imported(path)}
        extra = (
            {"os", "typing", "collections", "__future__"} if path.name == "__init__.py" else {"__future__"}
        )
        assert roots <= {"numba", "numpy", "math", "aavqc"} | extra, path.name


def test_scipy_stats_and_fastmath_are_nowhere() -> None:
    for name, path in modules():
        assert not any(m.startswith("scipy.stats") for m in imported(path)), name
        assert "fastmath=True" not in path.read_text(encoding="utf-8"), name


def loaded_after(code: str) -> set[str]:
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    ours_or_standard = {"aavqc", *sys.stdlib_module_names}
    return {m.split(".")[0] for m in done.stdout.split()} - ours_or_standard


def test_import_loads_no_third_party_module() -> None:
    assert loaded_after("import aavqc") == set()


def test_filtering_ions_loads_no_compiler() -> None:
    """It takes 100 MB, beside millions of centroids."""
    code = "from aavqc.cdms.charge import charges\nfrom aavqc.cdms.funnel import select"
    assert not loaded_after(code) & {"numba", "scipy", "pyopenms", "pandas"}


def test_help_loads_the_command_line_library_only() -> None:
    code = "import io, contextlib\nfrom aavqc.cli import app\n"
    code += "with contextlib.redirect_stdout(io.StringIO()):\n    app(['--help'], standalone_mode=False)"
    assert loaded_after(code) <= {"typer", "click", "typing_extensions", "annotated_doc", "shellingham"}


def test_committed_schemas_are_those_of_the_models() -> None:
    from aavqc.schemas import MODELS, text

    for name in MODELS:
        committed = (PACKAGE / "schemas" / f"{name}.json").read_text(encoding="utf-8")
        assert json.loads(committed) == json.loads(text(name)), f"python -m aavqc.schemas ({name})"
