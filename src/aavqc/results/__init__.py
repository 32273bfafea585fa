"""Specifications and verdicts: attributes of a lot against written limits.

This package knows attributes and never asks which instrument they came from.
"""

from aavqc.results.candidates import Candidate, Observation, candidates_of
from aavqc.results.evaluation import Evaluation, Verdict
from aavqc.results.specification import Specification

__all__ = ["Candidate", "Evaluation", "Observation", "Specification", "Verdict", "candidates_of"]
