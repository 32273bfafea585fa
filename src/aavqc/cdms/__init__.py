"""Charge-detection mass spectrometry: single ions → masses → classes of capsids."""

from aavqc.cdms.pipeline import analyze

__all__ = ["analyze"]
