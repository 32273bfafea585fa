"""What a batch came to: results, evaluations, errors, and the exit code of them all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.attributes import Technique
from aavqc.batch.left_out import unassigned
from aavqc.batch.outputs import Results
from aavqc.documents import Manifest, MethodUsed, Payload
from aavqc.errors import EXIT_BUG, EXIT_INCOMPLETE, EXIT_INVALID, AavqcError, worst_exit

if TYPE_CHECKING:
    from aavqc.results import Evaluation


@dataclass
class BatchReport:
    """What a batch did.

    Attributes
    ----------
    out : Path
    manifest : Manifest
        A row for every file seen.
    payloads : dict of str to Payload
        By job, without inputs, diagnostics and the wells that the sample sheet names: what judging needs.
    evaluations : list of Evaluation
        One a lot and specification.
    errors : list of AavqcError
        Every file or record that failed, with what was expected and found.
    bugs : list of str
        Tracebacks of errors that are not the input's fault.
    kept : int
        How many results were found finished in OUT.
    """

    out: Path
    manifest: Manifest = field(default_factory=lambda: Manifest(files=[], problems=[]))
    payloads: dict[str, Payload] = field(default_factory=dict)
    evaluations: list[Evaluation] = field(default_factory=list)
    errors: list[AavqcError] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)
    kept: int = 0

    @property
    def results(self) -> Results:
        """The whole results by job, each read from OUT when it is asked for."""
        return Results(self.out, self.payloads)

    @property
    def exit_codes(self) -> Counter[int]:
        """Every exit code that applies, with its count."""
        codes: Counter[int] = Counter(e.exit_code for e in self.evaluations)
        codes.update(e.exit_code for e in self.errors)
        codes[EXIT_BUG] += len(self.bugs)
        codes[EXIT_INCOMPLETE] += len(self.manifest.problems)
        samples = [s for p in self.payloads.values() for s in p.samples if s.role == "sample"]
        codes[EXIT_INVALID] += sum(s.status == "invalid" for s in samples)
        return +codes

    @property
    def exit_code(self) -> int:
        """The one that stands for all: an unreadable file never hides an OOS."""
        return worst_exit(set(self.exit_codes))


def light(payload: Payload, linked: bool) -> Payload:
    """Return a result without what is large: a batch holds thousands of them.

    Links compare settings and inputs; else the design length is all that judging asks for, and of the
    wells those that the sample sheet does not name.
    """
    samples = [s.model_copy(update={"diagnostics": {}, "warnings": []}) for s in payload.samples]
    wells = unassigned(payload)
    if linked:
        return payload.model_copy(update={"samples": samples, "wells": wells})
    used = payload.method
    method = _light_method(used.name, used.version, used.technique, used.settings.get("design_length"))
    return payload.model_copy(update={"samples": samples, "method": method, "inputs": [], "wells": wells})


@cache
def _light_method(name: str, version: str, technique: Technique, design_length: float | None) -> MethodUsed:
    """Return the one method for all results of it."""
    settings = {} if design_length is None else {"design_length": design_length}
    return MethodUsed(name=name, version=version, technique=technique, settings=settings)
