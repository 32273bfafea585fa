"""Simulated ion lists, mass lists and mass-photometry events, as text, NPZ and Parquet."""

from __future__ import annotations

import io

import numpy as np

from aavqc.records import FloatArray
from aavqc.simulate.cdms_ions import NUCLEOTIDE_MASS, PROTON_MASS, CdmsSimulation, Ions

CONTRAST_A_KDA = 5.2e-5
PHOTOMETRY_SD = 1.2e5
"""Of the seen mass of a capsid, Da."""

UNBINDING = 0.05
"""Share of events in which a particle leaves the surface."""

STORI_FILES = 3

STORI_COLUMNS = (
    *("Scan", "Ionnumber", "Segnumber", "M/Z", "Frequency", "Slope"),
    *("Slope R Squared", "Time of Birth", "Time of Death"),
)


def ion_list(ions: Ions, settings: CdmsSimulation, rng: np.random.Generator) -> bytes:
    """Write the columns of a Direct Mass Technology ion table."""
    n = ions.mz.size
    slope = np.rint(ions.charge_observed * settings.charge_slope).astype(np.int64)
    r_squared, birth = quality(n, rng)
    rows = ["Id,ScanNumber,Mz,Slope,RSquared,TimeOfBirth,TimeOfDeath,IsMultiIonProduct"]
    for i in range(n):
        row = f"{i + 1},{ions.scan[i]},{ions.mz[i]:.3f},{slope[i]},{r_squared[i]:.4f},{birth[i]:.3f}"
        rows.append(f"{row},0.512,{int(ions.multi[i])}")
    return ("\n".join(rows) + "\n").encode()


def stori(ions: Ions, settings: CdmsSimulation, rng: np.random.Generator) -> dict[str, bytes]:
    """Write a folder of tab-separated files named ``.csv``, each with a part of the scans."""
    r_squared, birth = quality(ions.mz.size, rng)
    files = {}
    edges = np.linspace(1, settings.scans + 1, STORI_FILES + 1).round()
    for part in range(STORI_FILES):
        rows = ["\t".join(STORI_COLUMNS)]
        for i in np.flatnonzero((ions.scan >= edges[part]) & (ions.scan < edges[part + 1])):
            frequency = 8e6 / np.sqrt(ions.mz[i])
            slope = ions.charge_observed[i] * settings.charge_slope
            rows.append(
                f"{ions.scan[i]}\t{i + 1}\t0\t{ions.mz[i]:.4f}\t{frequency:.3f}\t{slope:.2f}"
                f"\t{r_squared[i]:.5f}\t{birth[i]:.4f}\t0.512"
            )
        files[f"{settings.name}_stori/{settings.name}_{part + 1}.csv"] = ("\r\n".join(rows) + "\r\n").encode()
    return files


def npz(ions: Ions, settings: CdmsSimulation) -> bytes:
    """Write the array ``data`` with columns m/z, intensity, scan, 1/IT and time (both unknown)."""
    n = ions.mz.size
    slope = ions.charge_observed * settings.charge_slope
    stream = io.BytesIO()
    np.savez_compressed(stream, data=np.column_stack([ions.mz, slope, ions.scan, np.ones(n), -np.ones(n)]))
    return stream.getvalue()


def parquet(ions: Ions, settings: CdmsSimulation) -> bytes:
    """Write a column for each quantity; needs the extra ``parquet``."""
    import pyarrow as pa
    from pyarrow import parquet as files

    slope = ions.charge_observed * settings.charge_slope
    columns = {"Mz": ions.mz, "Slope": slope, "ScanNumber": ions.scan, "IsMultiIonProduct": ions.multi}
    stream = io.BytesIO()
    files.write_table(pa.table(columns), stream)
    return stream.getvalue()


def mass_list(ions: Ions) -> bytes:
    """Write the masses as charge and m/z give them, in kDa."""
    masses = ions.charge_observed * (ions.mz - PROTON_MASS) / 1e3
    return ("mass_kDa\n" + "\n".join(f"{m:.2f}" for m in masses) + "\n").encode()


def photometry(ions: Ions, settings: CdmsSimulation, rng: np.random.Generator) -> bytes:
    """Write contrasts and masses of landing events, and of some that leave: both with the other sign."""
    n = ions.mass.size
    seen: FloatArray = ions.mass - (1 - settings.photometry_dna) * NUCLEOTIDE_MASS * ions.nucleotides
    kda = rng.normal(seen, PHOTOMETRY_SD) / 1e3
    kda[rng.random(n) < UNBINDING] *= -1
    rows = [f"{-CONTRAST_A_KDA * m:.7f},{m:.2f}" for m in kda]
    return ("\n".join(["contrasts,masses_kDa", *rows]) + "\n").encode()


def quality(n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw R² and times of birth, as tracked ions have them behind the software's thresholds."""
    return 1 - np.minimum(rng.exponential(0.001, n), 0.004), np.minimum(rng.exponential(0.01, n), 0.1)
