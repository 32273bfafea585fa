"""Store: results, verdicts and the heads of audit trails in a database (the only user of SQLAlchemy)."""

from __future__ import annotations

from aavqc.store.rows import Plain, Row, attribute_rows, export_rows, method_row, result_row, storable
from aavqc.store.store import Anchor, Store

__all__ = [
    "Anchor",
    "Plain",
    "Row",
    "Store",
    "attribute_rows",
    "export_rows",
    "method_row",
    "result_row",
    "storable",
]
