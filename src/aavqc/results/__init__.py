"""Specifications and verdicts: attributes of a lot against written limits.

This package knows attributes and never asks which instrument they came from.
"""

from aavqc.results.absorbance import titers_from_absorbance
from aavqc.results.agreement import Agreement, agreement
from aavqc.results.candidates import Candidate, Observation, candidates_of
from aavqc.results.certificate import Certificate
from aavqc.results.changes import ManualChange, manual_change
from aavqc.results.elsewhere import load_results
from aavqc.results.evaluation import Evaluation, Evaluations
from aavqc.results.links import Change, Links, Retest
from aavqc.results.selection import select
from aavqc.results.specification import Specification
from aavqc.results.verdict import Verdict

__all__ = [
    "Agreement",
    "Candidate",
    "Certificate",
    "Change",
    "Evaluation",
    "Evaluations",
    "Links",
    "ManualChange",
    "Observation",
    "Retest",
    "Specification",
    "Verdict",
    "agreement",
    "candidates_of",
    "load_results",
    "manual_change",
    "select",
    "titers_from_absorbance",
]
