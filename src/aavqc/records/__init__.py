"""What parsers hand on: the typed content of an export, free of any vendor.

All records are frozen and their arrays read-only. A record knows which bytes it
came from (``inputs``) and what the parser noticed on the way (``remarks``).
"""

from aavqc.records.base import BoolArray, Column, FloatArray, InputFile, Record, frozen, readonly
from aavqc.records.distribution import Distribution, MassList
from aavqc.records.ions import IonTable
from aavqc.records.plate import DropletPlate, Droplets, WellClusters, WellDilution, WellRow
from aavqc.records.velocity import Clock, Optics, Scan, VelocityGroup, VelocityScans

__all__ = [
    "BoolArray", "Clock", "Column", "Distribution", "DropletPlate", "Droplets", "FloatArray",
    "InputFile", "IonTable", "MassList", "Optics", "Record", "Scan", "VelocityGroup",
    "VelocityScans", "WellClusters", "WellDilution", "WellRow", "frozen", "readonly",
]  # fmt: skip
