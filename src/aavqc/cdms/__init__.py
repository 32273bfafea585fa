"""Charge-detection mass spectrometry: single ions → masses → classes of capsids."""

from __future__ import annotations

from aavqc.blas import one_thread
from aavqc.cdms.settings import TechniqueSettings
from aavqc.documents import Outcome
from aavqc.records import IonTable, MassList

__all__ = ["analyze"]


def analyze(record: IonTable | MassList, settings: TechniqueSettings) -> Outcome:
    """Analyze single ions, or single particles that another program weighed.

    Parameters
    ----------
    record : IonTable or MassList
    settings : TechniqueSettings

    Returns
    -------
    Outcome
        One sample.

    Raises
    ------
    UsageError
        A setting that can't be followed.
    """
    # here, not above: reading and filtering ions then load no compiler, which takes 100 MB
    from aavqc.cdms import mass_list, pipeline

    with one_thread:
        if isinstance(record, MassList):
            return mass_list.analyze(record, settings)
        return pipeline.analyze(record, settings)
