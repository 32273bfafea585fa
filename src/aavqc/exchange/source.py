"""The OUT of a batch, as the writers of exchange formats read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from aavqc.documents import Manifest, ResultDocument
from aavqc.errors import UsageError
from aavqc.results import Evaluation


@dataclass(frozen=True)
class Finished:
    """Results and evaluations that the manifest of an OUT names; made by :meth:`load`."""

    out: Path
    manifest: Manifest

    @classmethod
    def load(cls, out: Path) -> Finished:
        """Open an output folder.

        Raises
        ------
        InputError
            It is none.
        """
        return cls(out, Manifest.of_batch(out))

    def results(self) -> Iterator[tuple[str, ResultDocument]]:
        """Yield job and result, one at a time, in the order of jobs."""
        for job in self.manifest.jobs:
            yield job, ResultDocument.load(self.out / "results" / f"{job}.json")

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        """In the order of the manifest."""
        return [Evaluation.load(self.out / entry.file) for entry in self.manifest.evaluations]


def new_folder(path: Path) -> Path:
    """Return a folder to write into; one that holds something is refused, for it would be mixed up."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise UsageError("the folder holds something already", file=str(path), expected="a new folder")
    except OSError as error:
        raise UsageError(f"no folder can be made ({error.strerror})", file=str(path)) from error
    return path
