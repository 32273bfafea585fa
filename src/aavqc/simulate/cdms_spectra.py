"""Simulated centroid spectra in mzML: intensities are ions per time, as Orbitraps write them."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from aavqc.records import FloatArray
from aavqc.simulate.cdms_ions import CdmsSimulation, Ions

NOISE_SD = 0.85
"""Of the thermal noise's amplitude, in charges."""

NOISE_FLOOR = 4.0
"""Threshold of the instrument's peak picking, in SD of the noise."""


def mzml(ions: Ions, settings: CdmsSimulation, rng: np.random.Generator) -> bytes:
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
        if settings.noise_a_scan:
            mz, charge = _with_thermal_noise(mz, charge, settings, rng)
        order = np.argsort(mz, kind="stable")
        intensity = charge[order] * settings.charge_slope / (injection_ms / 1000)
        spectra.append(_spectrum(scan, np.round(mz[order], 4), intensity, injection_ms))
    return (_HEAD.format(name=settings.name, count=settings.scans) + "".join(spectra) + _TAIL).encode()


def _with_thermal_noise(
    mz: FloatArray, charge: FloatArray, settings: CdmsSimulation, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Add centroids of noise all over the spectrum; amplitudes are Rayleigh's, cut at the floor."""
    n = rng.poisson(settings.noise_a_scan)
    amplitude = NOISE_SD * np.sqrt(NOISE_FLOOR**2 + 2 * rng.exponential(size=n))
    return np.concatenate([mz, rng.uniform(2000, 40_000, n)]), np.concatenate([charge, amplitude])


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
