"""AAV vector quality control: from AUC, CDMS and ddPCR exports to verdicts.

Everything here loads on first use (PEP 562): ``import aavqc`` alone imports no
third-party module.

Examples
--------
>>> import aavqc
>>> aavqc.__version__.count(".")
2
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aavqc.analysis import analyze, read, read_all
    from aavqc.attributes import Attribute, AttributeSet
    from aavqc.documents import ResultDocument
    from aavqc.errors import (
        AavqcError,
        AssayError,
        InputError,
        SeveralRecords,
        SpecificationError,
        UnitError,
        UsageError,
    )
    from aavqc.records import Distribution, DropletPlate, IonTable, VelocityScans
    from aavqc.report.plots import plot
    from aavqc.result import Result
    from aavqc.results import Evaluation, Specification

__version__ = "0.1.0"

_HOME = {
    "read": "analysis",
    "read_all": "analysis",
    "analyze": "analysis",
    "Result": "result",
    "plot": "report.plots",
    "Specification": "results",
    "Evaluation": "results",
    "ResultDocument": "documents",
    "Attribute": "attributes",
    "AttributeSet": "attributes",
    "VelocityScans": "records",
    "IonTable": "records",
    "DropletPlate": "records",
    "Distribution": "records",
    "AavqcError": "errors",
    "UsageError": "errors",
    "SeveralRecords": "errors",
    "UnitError": "errors",
    "SpecificationError": "errors",
    "InputError": "errors",
    "AssayError": "errors",
}

__all__ = [  # noqa: RUF022 (in the order of use)
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

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
