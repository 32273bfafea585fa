"""Methods: named, versioned sets of settings. The built-in ones lie beside this file."""

from __future__ import annotations

from pathlib import Path

from aavqc.documents import Method
from aavqc.errors import SpecificationError, UsageError, nearest
from aavqc.textfiles import read_toml, validate

HERE = Path(__file__).parent


def builtin() -> list[str]:
    """Return the names of the built-in methods."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def load_method(name_or_path: str | Path) -> Method:
    """Load a method by the name of a built-in one, or from a TOML file.

    Examples
    --------
    >>> load_method("aav-sv").technique
    'auc'
    """
    path = Path(name_or_path)
    if isinstance(name_or_path, str) and "/" not in name_or_path and path.suffix != ".toml":
        path = HERE / f"{name_or_path}.toml"
        if name_or_path not in builtin():
            raise UsageError(
                f"unknown method {name_or_path!r}",
                hint=nearest(name_or_path, builtin()) + ", or the path of a .toml file",
            )
    data, text = read_toml(path)
    return validate(Method, data, path.name, SpecificationError, text)
