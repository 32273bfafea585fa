"""Quality attributes: one number of one sample, with unit, interval and scope."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, SupportsIndex, overload

from aavqc.errors import UnitError, UsageError, nearest
from aavqc.notebook import html_table
from aavqc.quantities import UNITS

Technique = Literal["auc", "cdms", "ddpcr"]
Scope = Literal["fit", "run", "procedure"]
Qualifier = Literal["<", ">", "ND", "≤", "≥"]

CLASSES = ("empty", "partial", "full", "overfull")
"""Of capsids, in the order of packaged length; composition always lists all four."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One quality attribute of one sample.

    Attributes
    ----------
    name : str
        Such as ``percent_full`` or ``vg_titer``.
    target : str or None
        The assay's target (ddPCR), else None.
    technique : str
        ``auc``, ``cdms``, ``ddpcr``, or another's name for a value from elsewhere.
    value : float
        Always the point estimate, also where a qualifier is set.
    unit : str
        A symbol of :data:`aavqc.quantities.UNITS`.
    ci_low, ci_high : float or None
        Bounds of the interval; None means "not stated".
    coverage : float or None
        Such as 0.95.
    scope : {'fit', 'run', 'procedure'} or None
        What the interval covers: this fit; cells or wells and preparations of this
        run; the procedure's intermediate precision.
    qualifier : {'<', '>', 'ND', '≤', '≥'} or None
        The value is censored; ``bound`` is the number behind the sign. Signs with the bound included
        come from elsewhere only.
    bound, lod, loq : float or None

    Examples
    --------
    >>> print(Attribute(name="percent_full", technique="auc", value=61.2, unit="%",
    ...                 ci_low=60.1, ci_high=62.4, coverage=0.95, scope="fit"))
    percent_full 61.2 % (95 % CI 60.1–62.4, scope: fit)
    """

    name: str
    target: str | None = None
    technique: str
    value: float
    unit: str
    ci_low: float | None = None
    ci_high: float | None = None
    coverage: float | None = None
    scope: Scope | None = None
    qualifier: Qualifier | None = None
    bound: float | None = None
    lod: float | None = None
    loq: float | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UnitError(
                f"attribute {self.name}: unknown unit",
                expected="a unit of the table",
                found=repr(self.unit),
                hint=nearest(self.unit, list(UNITS)),
            )
        numbers = (self.value, self.ci_low, self.ci_high, self.bound, self.lod, self.loq)
        if not all(n is None or math.isfinite(n) for n in numbers):
            raise UsageError(f"attribute {self.key}: every number must be finite, found {numbers}")
        if self.qualifier is not None and self.bound is None:
            raise UsageError(f"attribute {self.key}: qualifier {self.qualifier} needs a bound")

    @property
    def key(self) -> str:
        """``name`` or ``name[target]``."""
        return f"{self.name}[{self.target}]" if self.target else self.name

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.qualifier is not None and self.bound is not None:
            return f"{self.key} {censored(self.qualifier, f' {self.bound:.4g}')}{unit}"
        text = f"{self.key} {_short(self.value)}{unit}"
        if self.ci_low is None or self.ci_high is None:
            return text + " (interval not stated)"
        figures = figures_apart(self.ci_low, self.ci_high)
        interval = f"{_short(self.ci_low, figures)}–{_short(self.ci_high, figures)}"
        return f"{text} ({(self.coverage or 0) * 100:g} % CI {interval}, scope: {self.scope})"


def _short(value: float, figures: int = 4) -> str:
    long = value and not 1e-3 <= abs(value) < 1e6
    return f"{value:.{figures - 1}E}" if long else f"{value:.{figures}g}"


def censored(qualifier: str, bound: str) -> str:
    """Return how a value below or above a bound is written, everywhere.

    Examples
    --------
    >>> censored("ND", "0.65 %")
    'ND, <0.65 %'
    """
    return f"{'ND, <' if qualifier == 'ND' else qualifier}{bound}"


def figures_apart(low: float, high: float, figures: int = 4) -> int:
    """Return how many figures the ends of an interval are shown in: one more where they would coincide.

    Examples
    --------
    >>> figures_apart(107.46, 107.53), figures_apart(107.4, 107.5), figures_apart(0.0, 0.0)
    (5, 4, 4)
    """
    return figures + (low != high and f"{low:.{figures}g}" == f"{high:.{figures}g}")


class AttributeSet(Mapping[str, Attribute]):
    """Attributes by key; the target may be left out where there is one.

    Examples
    --------
    >>> titer = Attribute(name="vg_titer", target="ITR", technique="ddpcr", value=1e13, unit="vg/mL")
    >>> AttributeSet([titer])["vg_titer"].target
    'ITR'
    """

    def __init__(self, attributes: Iterable[Attribute] = ()) -> None:
        self._by_key = {a.key: a for a in attributes}

    def __getitem__(self, key: str) -> Attribute:
        if key in self._by_key:
            return self._by_key[key]
        named = [a for a in self._by_key.values() if a.name == key]
        if len(named) == 1:
            return named[0]
        raise KeyError(
            f"{key}: several targets, name one of {', '.join(a.key for a in named)}"
            if named
            else f"{key}: not among {', '.join(self._by_key) or 'no attributes'}"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __repr__(self) -> str:
        return "\n".join(str(a) for a in self._by_key.values()) or "(no attributes)"

    def _repr_html_(self) -> str:
        rows = [(a.key, str(a).removeprefix(f"{a.key} ")) for a in self._by_key.values()]
        return html_table("attributes", ("attribute", "value"), rows)


class AttributeList(list[Attribute]):
    """The attributes of a sample in their order, by place or by key.

    Examples
    --------
    >>> titer = Attribute(name="vg_titer", target="ITR", technique="ddpcr", value=1e13, unit="vg/mL")
    >>> found = AttributeList([titer])
    >>> found["vg_titer[ITR]"] is found["vg_titer"] is found[0]
    True
    """

    @overload
    def __getitem__(self, key: str | SupportsIndex) -> Attribute: ...
    @overload
    def __getitem__(self, key: slice) -> list[Attribute]: ...
    def __getitem__(self, key: str | SupportsIndex | slice) -> Attribute | list[Attribute]:
        return AttributeSet(self)[key] if isinstance(key, str) else super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return key in AttributeSet(self) if isinstance(key, str) else super().__contains__(key)

    def _repr_html_(self) -> str:
        return AttributeSet(self)._repr_html_()
