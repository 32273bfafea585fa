"""A virtual charge-detection mass spectrometer: ion lists and mzML with known truth.

Each ion is drawn as nature does it: a capsid of 60 subunits (VP1:VP2:VP3 1:1:10 by chance),
its DNA, adducts; a whole number of charges; then the instrument's noise on m/z and charge.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aavqc.documents import Document
from aavqc.errors import UsageError
from aavqc.records import FloatArray
from aavqc.textfiles import write_bytes

PROTON_MASS = 1.007276467
NUCLEOTIDE_MASS = 308.95
SUBUNIT_DIFFERENCE = (21.88e3, 6.51e3)
"""Mass of VP1 and of VP2 above VP3 (AAV2), Da."""

EMPTY_CHARGE = 155.0
CHARGE_EXPONENT = 0.15
CHARGE_SPREAD = 0.03
"""Charge of an empty capsid, its growth with mass (the capsid's size is fixed), relative SD."""


class CdmsSimulation(Document):
    """Settings of a simulated run; ``species`` are ``packaged nt:fraction of particles``."""

    name: str = Field("cdms", min_length=1, pattern=r"^[\w.-]+$", description="stem of the files")
    seed: int = Field(0, ge=0)
    ions: int = Field(12_000, ge=1, le=5_000_000)
    species: list[str] = Field(["0:0.12", "2350:0.08", "4700:0.80"], min_length=1)
    capsid_mass: float = Field(3.7404e6, gt=1e6, description="Da, mean of VP 5:5:50")
    sigma_z_a: float = Field(1.0, ge=0, description="charge noise: sigma_z² = a² + b² z²")
    sigma_z_b: float = Field(0.002, ge=0)
    mz_resolution: float = Field(5000.0, gt=0, description="m/z over full width at half maximum")
    adducts: float = Field(0.001, ge=0, description="mean mass of adducts, fraction of the particle's")
    charge_slope: float = Field(112_100.0, gt=0)
    scans: int = Field(60, ge=1)
    injection_time_ms: list[Annotated[float, Field(ge=1)]] = Field(
        [50.0, 200.0], min_length=2, max_length=2, description="range, drawn anew for each scan"
    )
    multi_ion: float = Field(0.005, ge=0, lt=1, description="fraction of signals of two ions")
    split: float = Field(0.005, ge=0, lt=1, description="fraction of ions that decay in the trap")
    noise: float = Field(2.0, ge=0, description="noise peaks an ion in the mzML")
    formats: list[Literal["csv", "mzml"]] = Field(["csv", "mzml"], min_length=1)


@dataclass(frozen=True)
class _Ions:
    """What was drawn: the truth of each ion, and what the instrument saw of it."""

    nucleotides: FloatArray
    mass: FloatArray
    charge: FloatArray
    mz: FloatArray
    charge_observed: FloatArray
    multi: NDArray[np.bool_]
    scan: NDArray[np.int64]


def simulate(out: Path, settings: CdmsSimulation) -> dict[str, Any]:
    """Write a run's files and its truth into a folder.

    Parameters
    ----------
    out : Path
        Gets ``<name>.csv`` and ``<name>.mzML`` as ``formats`` says, and ``truth.json``.
    settings : CdmsSimulation

    Returns
    -------
    dict
        The truth: ``species`` [{``nt``, ``fraction`` as asked, ``ions`` as drawn, ``mass_da`` mean}],
        and the settings.

    Raises
    ------
    UsageError
        A species that can't be read.
    """
    rng = np.random.default_rng(settings.seed)
    species = _species(settings.species)
    ions = _draw(settings, species, rng)
    files = {}
    if "csv" in settings.formats:
        files[f"{settings.name}.csv"] = _ion_list(ions, settings, rng)
    if "mzml" in settings.formats:
        files[f"{settings.name}.mzML"] = _mzml(ions, settings, rng)
    truth = {
        "technique": "cdms",
        "files": sorted(files),
        "settings": settings.model_dump(mode="json"),
        "species": [
            {
                "nt": nt,
                "fraction": fraction,
                "ions": int(np.count_nonzero(ions.nucleotides == nt)),
                "mass_da": _mean(ions.mass[ions.nucleotides == nt]),
            }
            for nt, fraction in species
        ],
    }
    files["truth.json"] = (json.dumps(truth, indent=1, sort_keys=True) + "\n").encode()
    for name, data in files.items():
        write_bytes(Path(out) / name, data)
    return truth


def _species(texts: Sequence[str]) -> list[tuple[float, float]]:
    found: dict[float, float] = {}
    for text in texts:
        try:
            nt, fraction = (float(part) for part in text.split(":"))
        except ValueError as error:
            raise UsageError("setting species", expected="nt:fraction", found=repr(text)) from error
        if not (0 <= nt < 1e5 and 0 < fraction < 1e9) or nt in found:
            raise UsageError("setting species", expected="lengths once, fractions above 0", found=repr(text))
        found[nt] = fraction
    total = sum(found.values())
    return [(nt, fraction / total) for nt, fraction in sorted(found.items())]


def _draw(settings: CdmsSimulation, species: list[tuple[float, float]], rng: np.random.Generator) -> _Ions:
    n = settings.ions
    nucleotides = rng.choice([nt for nt, _ in species], n, p=[f for _, f in species])
    subunits = rng.multinomial(60, [1 / 12, 1 / 12, 10 / 12], n)
    capsid = settings.capsid_mass + (subunits[:, :2] - 5) @ np.array(SUBUNIT_DIFFERENCE)
    mass = capsid + nucleotides * NUCLEOTIDE_MASS
    carried = mass * (1 + rng.exponential(settings.adducts, n))
    mean = EMPTY_CHARGE * (carried / 3.74e6) ** CHARGE_EXPONENT
    charge = np.maximum(np.rint(rng.normal(mean, CHARGE_SPREAD * mean)), 1.0)
    mz = (carried / charge + PROTON_MASS) * (1 + rng.normal(0, 1 / (2.3548 * settings.mz_resolution), n))
    sigma = np.sqrt(settings.sigma_z_a**2 + (settings.sigma_z_b * charge) ** 2)
    observed = rng.normal(charge, sigma)
    multi = rng.random(n) < settings.multi_ion
    observed[multi] *= 2
    split = rng.random(n) < settings.split
    observed[split] *= rng.uniform(0.4, 0.9, n)[split]
    scan = np.sort(rng.integers(1, settings.scans + 1, n))
    return _Ions(nucleotides, mass, charge, mz, np.maximum(observed, 0.5), multi, scan)


def _ion_list(ions: _Ions, settings: CdmsSimulation, rng: np.random.Generator) -> bytes:
    """Write the columns of a Direct Mass Technology ion table."""
    n = ions.mz.size
    slope = np.rint(ions.charge_observed * settings.charge_slope).astype(np.int64)
    r_squared = 1 - np.minimum(rng.exponential(0.001, n), 0.004)
    birth = np.minimum(rng.exponential(0.01, n), 0.1)
    rows = ["Id,ScanNumber,Mz,Slope,RSquared,TimeOfBirth,TimeOfDeath,IsMultiIonProduct"]
    for i in range(n):
        row = f"{i + 1},{ions.scan[i]},{ions.mz[i]:.3f},{slope[i]},{r_squared[i]:.4f},{birth[i]:.3f}"
        rows.append(f"{row},0.512,{int(ions.multi[i])}")
    return ("\n".join(rows) + "\n").encode()


def _mzml(ions: _Ions, settings: CdmsSimulation, rng: np.random.Generator) -> bytes:
    """Write centroid spectra; intensity is charge × slope over the injection time in s."""
    low, high = ions.mz.min() * 0.8, ions.mz.max() * 1.2
    spectra = []
    for scan in range(1, settings.scans + 1):
        injection_ms = round(
            float(rng.uniform(min(settings.injection_time_ms), max(settings.injection_time_ms))), 3
        )
        here = ions.scan == scan
        weak = rng.poisson(settings.noise * np.count_nonzero(here))
        mz = np.concatenate([ions.mz[here], rng.uniform(low, high, weak)])
        charge = np.concatenate([ions.charge_observed[here], rng.uniform(1.0, 5.0, weak)])
        order = np.argsort(mz, kind="stable")
        intensity = charge[order] * settings.charge_slope / (injection_ms / 1000)
        spectra.append(_spectrum(scan, np.round(mz[order], 4), intensity, injection_ms))
    return (_HEAD.format(name=settings.name, count=settings.scans) + "".join(spectra) + _TAIL).encode()


def _spectrum(scan: int, mz: FloatArray, intensity: FloatArray, injection_ms: float) -> str:
    packed_mz = base64.b64encode(zlib.compress(mz.astype("<f8").tobytes(), 6)).decode()
    packed_intensity = base64.b64encode(zlib.compress(intensity.astype("<f4").tobytes(), 6)).decode()
    return _SPECTRUM.format(
        index=scan - 1,
        scan=scan,
        n=mz.size,
        minutes=f"{scan * 0.01:.2f}",
        injection=injection_ms,
        mz_length=len(packed_mz),
        mz=packed_mz,
        intensity_length=len(packed_intensity),
        intensity=packed_intensity,
    )


def _mean(values: FloatArray) -> float | None:
    return round(float(values.mean()), 1) if values.size else None


_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<mzML xmlns="http://psi.hupo.org/ms/mzml" id="{name}" version="1.1.0">
 <cvList count="2">
  <cv id="MS" fullName="Proteomics Standards Initiative Mass Spectrometry Ontology" URI="https://raw.githubusercontent.com/HUPO-PSI/psi-ms-CV/master/psi-ms.obo"/>
  <cv id="UO" fullName="Unit Ontology" URI="https://raw.githubusercontent.com/bio-ontology-research-group/unit-ontology/master/unit.obo"/>
 </cvList>
 <fileDescription><fileContent>
  <cvParam cvRef="MS" accession="MS:1000579" name="MS1 spectrum" value=""/>
 </fileContent></fileDescription>
 <softwareList count="1"><software id="simulation" version="1">
  <cvParam cvRef="MS" accession="MS:1000799" name="custom unreleased software tool" value="aavqc simulate"/>
 </software></softwareList>
 <instrumentConfigurationList count="1"><instrumentConfiguration id="IC1">
  <cvParam cvRef="MS" accession="MS:1000031" name="instrument model" value=""/>
 </instrumentConfiguration></instrumentConfigurationList>
 <dataProcessingList count="1"><dataProcessing id="DP1"><processingMethod order="0" softwareRef="simulation">
  <cvParam cvRef="MS" accession="MS:1000035" name="peak picking" value=""/>
 </processingMethod></dataProcessing></dataProcessingList>
 <run id="{name}" defaultInstrumentConfigurationRef="IC1">
  <spectrumList count="{count}" defaultDataProcessingRef="DP1">
"""

_SPECTRUM = """   <spectrum index="{index}" id="controllerType=0 controllerNumber=1 scan={scan}" defaultArrayLength="{n}">
    <cvParam cvRef="MS" accession="MS:1000511" name="ms level" value="1"/>
    <cvParam cvRef="MS" accession="MS:1000127" name="centroid spectrum" value=""/>
    <cvParam cvRef="MS" accession="MS:1000130" name="positive scan" value=""/>
    <scanList count="1"><cvParam cvRef="MS" accession="MS:1000795" name="no combination" value=""/><scan>
     <cvParam cvRef="MS" accession="MS:1000016" name="scan start time" value="{minutes}" unitCvRef="UO" unitAccession="UO:0000031" unitName="minute"/>
     <cvParam cvRef="MS" accession="MS:1000927" name="ion injection time" value="{injection}" unitCvRef="UO" unitAccession="UO:0000028" unitName="millisecond"/>
    </scan></scanList>
    <binaryDataArrayList count="2">
     <binaryDataArray encodedLength="{mz_length}">
      <cvParam cvRef="MS" accession="MS:1000523" name="64-bit float" value=""/>
      <cvParam cvRef="MS" accession="MS:1000574" name="zlib compression" value=""/>
      <cvParam cvRef="MS" accession="MS:1000514" name="m/z array" value="" unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"/>
      <binary>{mz}</binary>
     </binaryDataArray>
     <binaryDataArray encodedLength="{intensity_length}">
      <cvParam cvRef="MS" accession="MS:1000521" name="32-bit float" value=""/>
      <cvParam cvRef="MS" accession="MS:1000574" name="zlib compression" value=""/>
      <cvParam cvRef="MS" accession="MS:1000515" name="intensity array" value="" unitCvRef="MS" unitAccession="MS:1000131" unitName="number of detector counts"/>
      <binary>{intensity}</binary>
     </binaryDataArray>
    </binaryDataArrayList>
   </spectrum>
"""  # noqa: E501 - one parameter a line

_TAIL = """  </spectrumList>
 </run>
</mzML>
"""
