"""Logs: the library says what it does through stdlib logging, below the logger ``aavqc``.

It installs no handler and sets no level: that is the embedding program's. A record may carry
fields for machines beside its sentence; :class:`JsonLines` writes them.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any


def fields(**said: Any) -> dict[str, Any]:
    """Return what to give a logging call as ``extra``: fields for machines, None left out."""
    return {"aavqc": {key: value for key, value in said.items() if value is not None}}


class JsonLines(logging.Formatter):
    """Format each record as one line of JSON, in ASCII.

    ``time`` (UTC), ``level``, ``logger``, ``message``; what the record carries beside it; and
    ``traceback`` where there is one. ``docs/lims.md`` lists the fields.

    Examples
    --------
    >>> record = logging.makeLogRecord({"name": "aavqc.batch", "levelname": "INFO", "msg": "a.csv: done"})
    >>> record.__dict__ |= fields(record="a.csv", job=None)
    >>> line = json.loads(JsonLines().format(record))
    >>> line["level"], line["logger"], line["message"], line["record"]
    ('info', 'aavqc.batch', 'a.csv: done', 'a.csv')
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "aavqc", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
