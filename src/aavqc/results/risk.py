"""Decision risk: how likely the true value lies outside a limit although the result is inside."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from aavqc.attributes import Attribute
from aavqc.results.limits import Limit


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Standard uncertainty of a value, downwards and upwards, in the value's unit."""

    below: float
    above: float


def uncertainty_of(attribute: Attribute) -> Uncertainty | None:
    """Return the standard uncertainty behind an interval of scope ``procedure``, else None.

    What covers a fit or a run leaves out what the next analyst, day or instrument would add:
    no risk can be had from it.

    Examples
    --------
    >>> full = Attribute(name="percent_full", technique="auc", value=72.0, unit="%", ci_low=68.08,
    ...                  ci_high=75.92, coverage=0.95, scope="procedure")
    >>> round(uncertainty_of(full).below, 3)
    2.0
    """
    low, high, coverage = attribute.ci_low, attribute.ci_high, attribute.coverage
    if attribute.scope != "procedure" or attribute.qualifier is not None:
        return None
    if low is None or high is None or coverage is None or not 0 < coverage < 1:
        return None
    z = NormalDist().inv_cdf(0.5 + coverage / 2)
    below, above = (attribute.value - low) / z, (high - attribute.value) / z
    return Uncertainty(below, above) if below > 0 and above > 0 else None


def risk_outside(value: float, u: Uncertainty, limit: Limit) -> float:
    """Return the probability that the true value lies outside of a limit.

    The true value is normal about the result (JCGM 106:2012, 7.2, no prior knowledge), with the
    uncertainty of the side on which the bound lies. The limit is taken as written: rounding is
    a rule for comparing, not a property of the true value.

    Examples
    --------
    >>> from aavqc.results.limits import parse_limit
    >>> round(risk_outside(72.0, Uncertainty(2.0, 2.0), parse_limit("NLT 70.0 %")), 4)
    0.1587
    """
    risk = 0.0
    if limit.low is not None:
        risk += _below(float(limit.low.value), value, u)
    if limit.high is not None:
        risk += 1 - _below(float(limit.high.value), value, u)
    return min(max(risk, 0.0), 1.0)


def guard_band(u: Uncertainty, limit: Limit, risk: float) -> tuple[float | None, float | None]:
    """Return the lowest and the highest result whose risk at that bound does not exceed ``risk``.

    Each bound on its own (JCGM 106:2012, 8.3.2): acceptance begins z(1 - risk) standard
    uncertainties inside of it.
    """
    z = NormalDist().inv_cdf(1 - risk)
    low = None if limit.low is None else float(limit.low.value) + z * u.below
    high = None if limit.high is None else float(limit.high.value) - z * u.above
    return low, high


def _below(bound: float, value: float, u: Uncertainty) -> float:
    distance = bound - value
    return 0.5 * math.erfc(-distance / (u.below if distance < 0 else u.above) / math.sqrt(2))
