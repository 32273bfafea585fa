"""What an analysis returns: the numbers, and what plots need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aavqc import __version__
from aavqc.attributes import AttributeSet, Technique
from aavqc.documents import Envelope, Payload, ResultDocument, Sample, digest
from aavqc.errors import SeveralRecords

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, repr=False)
class Result:
    """What an analysis returns: the samples with their attributes, and what plots need.

    Attributes
    ----------
    payload : Payload
        All numbers; a function of the input bytes and the method alone.
    arrays : mapping of str to array
        Curves and points for plots, prefixed by the record's name.
    """

    payload: Payload
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def technique(self) -> Technique:
        """``auc``, ``cdms`` or ``ddpcr``."""
        return self.payload.technique

    @property
    def samples(self) -> list[Sample]:
        """The samples in the natural order of their ids."""
        return self.payload.samples

    @property
    def attributes(self) -> AttributeSet:
        """The attributes of the only sample.

        Raises
        ------
        SeveralRecords
            There is more than one sample; take ``.samples``.
        """
        if len(self.samples) != 1:
            found = ", ".join(s.sample_id for s in self.samples[:6]) or "none"
            raise SeveralRecords(
                "the result has not exactly one sample", found=found, hint="use result.samples"
            )
        return self.samples[0].attribute_set

    def document(self, actor: str | None = None, reason: str | None = None) -> ResultDocument:
        """Return the result as a document, with an envelope that says when and where."""
        import platform

        from aavqc.fingerprint import numerical_platform

        return ResultDocument(
            schema="aavqc.result/1",
            payload=self.payload,
            envelope=Envelope(
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                aavqc=__version__,
                python=platform.python_version(),
                platform=numerical_platform(),
                seconds=round(self.seconds, 3),
                payload_sha256=digest(self.payload),
                actor=actor,
                reason=reason,
            ),
        )

    def __repr__(self) -> str:
        lines = []
        for sample in self.samples:
            lines.append(f"{sample.sample_id} ({self.technique}, {sample.status})")
            lines += [f"  {attribute}" for attribute in sample.attributes]
            lines += [f"  peak {_peak(p)}" for p in sample.diagnostics.get("peaks") or []]
            lines += [f"  {flag.severity}: {flag.message}" for flag in sample.flags]
            lines += [f"  warning: {warning}" for warning in sample.warnings]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self.payload._repr_html_()


def _peak(peak: Mapping[str, Any]) -> str:
    at = f"{peak['s']:.2f} S" if "s" in peak else f"{peak['mass_mda']:.4f} MDa"
    return f"{at}: {100 * peak['fraction']:.1f} %"
