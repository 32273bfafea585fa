"""Simulated results of Direct Mass Technology: an SQLite database of single ions."""

from __future__ import annotations

import numpy as np

from aavqc.simulate.cdms_ions import CdmsSimulation, Ions
from aavqc.simulate.cdms_lists import quality

DEFAULT_SLOPE = 50_000.0
"""By which the software assigns charges where nobody calibrated it."""

TICKS = 638_400_000_000_000_000
"""Time of the log, in .NET's 100 ns since the year 1: a constant, for equal bytes."""

TABLES = """
CREATE TABLE DbMetadata (MetadataKey varchar primary key not null, Value varchar);
CREATE TABLE Ion (Id integer primary key autoincrement not null, StoriGroupId integer,
  ScanNumber integer, IonNumber integer, Mz float, Slope float, InverseInjectionTimeSeconds float,
  RSquared float, TimeOfBirth float, TimeOfDeath float, Charge integer, ChargeScore float,
  IsMultiIonProduct integer);
CREATE TABLE CalibrationChargeState (Id integer primary key autoincrement not null, Charge integer,
  Slope float, StandardDeviation float);
CREATE TABLE Parameter (Id integer primary key autoincrement not null, GroupName varchar,
  Name varchar, Value varchar);
CREATE TABLE LogLine (Id integer primary key autoincrement not null, DateStamp bigint, Line varchar);
CREATE TABLE StoriGroup (Id integer primary key autoincrement not null, FilePath varchar,
  ScanCount integer, Offset integer);
CREATE TABLE ThresholdAggregate (Id varchar, Name varchar, Description varchar, Parameter varchar,
  "Order" integer, Count integer, IsChargeAssignment integer);
"""


def dmt(ions: Ions, settings: CdmsSimulation, rng: np.random.Generator) -> bytes:
    """Write a database; its own charges rest on the default slope, as most do."""
    import sqlite3

    n = ions.mz.size
    slope = ions.charge_observed * settings.charge_slope
    r_squared, birth = quality(n, rng)
    vendor = np.rint(slope / DEFAULT_SLOPE).astype(int)
    rate = 1000 / settings.injection_time_ms[0]
    columns = (
        ions.scan,
        np.arange(1, n + 1),
        ions.mz,
        slope,
        r_squared,
        birth,
        vendor,
        ions.multi.astype(int),
    )
    rows = [
        (1, scan, number, mz, signal, rate, r2, start, 0.512, z, 1.0, multi)
        for scan, number, mz, signal, r2, start, z, multi in zip(*(c.tolist() for c in columns), strict=True)
    ]
    names = (
        "StoriGroupId, ScanNumber, IonNumber, Mz, Slope, InverseInjectionTimeSeconds, RSquared,"
        " TimeOfBirth, TimeOfDeath, Charge, ChargeScore, IsMultiIonProduct"
    )
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(TABLES)
        database.executemany(f"INSERT INTO Ion ({names}) VALUES ({', '.join('?' * 12)})", rows)
        database.execute("INSERT INTO DbMetadata VALUES ('i2ms_version', '1.10')")
        states = [(z, DEFAULT_SLOPE * z) for z in range(1, 251)]
        database.executemany(
            "INSERT INTO CalibrationChargeState (Charge, Slope, StandardDeviation) VALUES (?, ?, 0.0)", states
        )
        database.execute(
            "INSERT INTO Parameter (GroupName, Name, Value)"
            " VALUES ('STORI Processor', 'RSquaredThreshold', '0.996')"
        )
        lines = [f"Info: {n} SingleIons generated", "Info: Creating charge data using default coefficient"]
        database.executemany(
            "INSERT INTO LogLine (DateStamp, Line) VALUES (?, ?)", [(TICKS, line) for line in lines]
        )
        database.execute(
            "INSERT INTO StoriGroup (FilePath, ScanCount, Offset) VALUES (?, ?, 0)",
            (f"C:\\Data\\{settings.name}.RAW", settings.scans),
        )
        database.executemany(
            'INSERT INTO ThresholdAggregate (Id, "Order", Count, IsChargeAssignment) VALUES (?, ?, ?, ?)',
            [
                ("IonCreated", 0, 5 * n, 0),
                ("FailedRSquaredCutoff", 8, 4 * n, 0),
                ("ChargeAssigned", 21, n, 1),
            ],
        )
        database.commit()
        return database.serialize()
    finally:
        database.close()
