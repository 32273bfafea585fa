"""Called by a LIMS for one export: lims_script.py EXPORT SAMPLES METHOD SPECIFICATION.

SAMPLES is the sample sheet, which the LIMS writes: it knows lots, roles and dilutions.
stdout: one JSON document, whatever the exit code. stderr: JSON lines. Exit codes: 0 pass, 1 OOS,
2 wrong call, 3 unreadable export, 4 invalid assay, 5 incomplete or indeterminate, 70 a bug.
"""

import json
import logging
import os
import sys

import aavqc
from aavqc.errors import EXIT_BUG, EXIT_USAGE, AavqcError
from aavqc.logs import JsonLines, fields

log = logging.getLogger("lims_script")


def main(arguments):
    """Return the exit code and the document."""
    try:
        export, samples, method, specification = arguments
    except ValueError:
        return EXIT_USAGE, {"error": {"exit": EXIT_USAGE, "message": __doc__.splitlines()[0]}}
    try:
        result = aavqc.analyze(export, method, samples=samples, progress=log.info)
        evaluation = aavqc.Specification.load(specification).check(result.samples)
    except AavqcError as error:  # of the input or the call: the LIMS shows it to a person
        log.error("%s", error, extra=fields(exit=error.exit_code))
        return error.exit_code, error.document()
    except Exception as error:
        log.exception("a bug in aavqc, please report it")
        return EXIT_BUG, {"error": {"exit": EXIT_BUG, "message": repr(error)}}
    for sample in result.samples:
        for flag in sample.flags:
            log.warning("%s: %s", sample.sample_id, flag.message, extra=fields(flag=flag.id))
    return evaluation.exit_code, {
        "evaluation": evaluation.model_dump(mode="json", by_alias=True),
        "result": result.document().model_dump(mode="json", by_alias=True),
    }


if __name__ == "__main__":
    stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints does not go where the LIMS reads
    lines = logging.StreamHandler()
    lines.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    code, document = main(sys.argv[1:])
    stdout.write(json.dumps(document) + "\n")
    stdout.flush()
    sys.exit(code)
