"""CDMS: the masses of a capsid from the user's own VP1 sequence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import analyze
from aavqc.cdms.expected import expected_capsid
from aavqc.cdms.settings import TechniqueSettings
from aavqc.errors import InputError, UsageError
from aavqc.settings import build
from cdms_lists import Lot, draw

STARTS = {"capsid.vp2_start": 6, "capsid.vp3_start": 11}
VP1 = "MAGGGTGGGGMAGGGGGGGG"
RULER = {"G": 57.0513, "A": 71.0779, "T": 101.1039, "M": 131.1961}  # NIST's average residue masses


def fasta(folder: Path, text: str) -> str:
    path = folder / "own.fasta"
    path.write_text(text, encoding="utf-8")
    return str(path)


def settings(path: str, **further: object) -> TechniqueSettings:
    return build(TechniqueSettings, {"capsid.fasta": path}, {**STARTS, **further})


def test_chains_lose_their_first_residue_and_vp1_and_vp3_are_acetylated(tmp_path: Path) -> None:
    found = settings(fasta(tmp_path, f">own capsid VP1\n{VP1[:8]}\n{VP1[8:].lower()}*\n")).capsid
    expected = [
        sum(RULER[r] for r in VP1[start:]) + 18.0153 + acetyl
        for start, acetyl in ((1, 42.0367), (6, 0.0), (11, 42.0367))
    ]
    assert found.vp_masses == pytest.approx(expected, abs=0.02)
    assert (found.name, found.sha256) == ("own", hashlib.sha256(VP1.encode()).hexdigest())


@pytest.mark.parametrize(
    ("serotype", "masses", "mean", "sd"),
    [("AAV2", [81854, 66488, 59973], 3.7404e6, 47.6e3), ("AAV9", [81290, 66209, 59732], 3.7241e6, 47.0e3)],
)
def test_known_capsids(
    serotype: str, masses: list[float], mean: float, sd: float, reference_data: Path, tmp_path: Path
) -> None:
    known = json.loads((reference_data / "cdms/vp/vp_sequences.json").read_text(encoding="utf-8"))[serotype]
    path = fasta(tmp_path, f">{serotype}\n{known['sequence']}\n")
    starts = {"capsid.vp2_start": known["vp2_start"], "capsid.vp3_start": known["vp3_start"]}
    found = settings(path, **starts)
    assert found.capsid.vp_masses == pytest.approx(masses, abs=0.51)
    assert expected_capsid(found).mean == pytest.approx(mean, abs=100)
    assert expected_capsid(found).sd == pytest.approx(sd, abs=100)


def test_stoichiometry_is_that_of_capsids_drawn_one_by_one(tmp_path: Path) -> None:
    ratio = [2.0, 1.0, 7.0]
    found = expected_capsid(settings(fasta(tmp_path, f">x\n{VP1}\n"), **{"capsid.stoichiometry": ratio}))
    masses = settings(fasta(tmp_path, f">x\n{VP1}\n")).capsid.vp_masses
    assert masses is not None
    drawn = np.random.default_rng(0).multinomial(60, np.array(ratio) / 10, 200_000) @ np.array(masses)
    assert found.mean == pytest.approx(drawn.mean(), rel=1e-3)
    assert found.sd == pytest.approx(drawn.std(), rel=0.01)


def test_own_proteins_win_over_the_serotype_and_stay_in_the_result(tmp_path: Path) -> None:
    """The list holds capsids of 3.7404 MDa; proteins 2 % lighter move every bound and the expectation."""
    known = {"charge_slope": 112_100.0, "design_length": 4700, "serotype": "AAV2", "sigma_z": 1.0}
    record = draw(Lot((0.3, 0.12, 0.5, 0.08)), 1)
    lighter = [81854.5 * 0.98, 66487.6 * 0.98, 59973.5 * 0.98]
    result = analyze(record, **{**known, "capsid.vp_masses": lighter})
    sample = result.samples[0]
    assert sample.diagnostics["capsid"] == {
        "source": "proteins",
        "mass_da": pytest.approx(0.98 * 3.7404e6, rel=1e-5),
        "assembly_sd_da": pytest.approx(0.98 * 47.6e3, rel=2e-3),
    }
    (flag,) = [f for f in sample.flags if f.id == "mass_scale"]
    assert flag.value == pytest.approx(100 * (1 / 0.98 - 1), abs=0.3)
    assert not [f for f in analyze(record, **known).samples[0].flags if f.id == "mass_scale"]


GENOME = "ACGT" * 1000 + "G" * 700


def test_a_genomes_sequence_gives_its_length_and_its_mass(tmp_path: Path) -> None:
    """Reference: A 313.207, T 304.193, G 329.206, C 289.182, water 18.015; sodium 329.92 of 308.95."""
    path = fasta(tmp_path, f">vector\n{GENOME}\n")
    record = draw(Lot((0.5, 0.0, 0.5, 0.0), 4000), 1)
    known = {"charge_slope": 112_100.0, "serotype": "AAV2", "sigma_z": 1.0}
    result = analyze(record, **{**known, "genome.fasta": path})
    mass = 1000 * (313.207 + 304.193 + 329.206 + 289.182) + 700 * 329.206 + 18.015
    genome = result.samples[0].diagnostics["genome"]
    assert genome["source"] == "sequence"
    assert genome["length_nt"] == 4700
    assert genome["mass_da"] == pytest.approx(mass, abs=0.01)
    assert genome["mass_with_sodium_da"] == pytest.approx(mass * 329.92 / 308.95)
    stated = result.payload.method.settings
    assert stated["design_length"] == 4700
    assert stated["genome"]["sha256"] == hashlib.sha256(GENOME.encode()).hexdigest()
    assert GENOME[:40] not in json.dumps(stated)
    assert build(TechniqueSettings, stated).model_dump() == stated
    # lengths count these nucleotides: one weighs 0.9 % more than one of any DNA
    plain = analyze(record, design_length=4700, **known)
    assert plain.samples[0].diagnostics["genome"]["source"] == "length"
    assert plain.samples[0].diagnostics["genome"]["mass_da"] == pytest.approx(4700 * 308.95)
    ratio = plain.attributes["packaged_length"].value / result.attributes["packaged_length"].value
    assert ratio == pytest.approx(mass / 4700 / 308.95, rel=2e-3)


def test_a_genome_of_another_length_than_the_design_is_refused(tmp_path: Path) -> None:
    path = fasta(tmp_path, f">vector\n{GENOME}\n")
    with pytest.raises(UsageError, match="4700 nt"):
        build(TechniqueSettings, {"genome.fasta": path, "design_length": 4600})
    with pytest.raises(InputError, match="A, C, G or T"):
        build(TechniqueSettings, {"genome.fasta": fasta(tmp_path, ">x\nACGTN\n")})


def test_a_result_holds_masses_and_hash_and_neither_path_nor_sequence(tmp_path: Path) -> None:
    path = fasta(tmp_path, f">own\n{VP1}\n")
    record = draw(Lot((0.5, 0.0, 0.5, 0.0), 200), 1)
    known = {"charge_slope": 112_100.0, "capsid.fasta": path, **STARTS}
    stated = analyze(record, **known).payload.method.settings["capsid"]
    assert stated["sha256"] == hashlib.sha256(VP1.encode()).hexdigest()
    assert len(stated["vp_masses"]) == 3
    assert VP1 not in json.dumps(stated)
    assert str(tmp_path) not in json.dumps(stated)
    again = build(TechniqueSettings, {"capsid": stated})  # a result's settings are settings
    assert again.capsid.model_dump() == stated


def test_regulated_methods_take_own_proteins_for_a_constant() -> None:
    record = draw(Lot((0.3, 0.2, 0.5, 0.0), 2000), 1)
    known = {"charge_slope": 112_100.0, "design_length": 4700, "regulated": True}
    own = {"capsid.vp_masses": [81854.5, 66487.6, 59973.5]}
    assert [f.id for f in analyze(record, **known).samples[0].flags] == ["constant_required"]
    found = analyze(record, **known, **own)
    assert not [f for f in found.samples[0].flags if f.id == "constant_required"]
    assert found.attributes["percent_full"].value == pytest.approx(50, abs=3)


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("MAGGG\n", 1, "header"),
        (">a\nMAGG\n>b\nMAGG\n", 3, "second header"),
        (">a\nMAG1G\n", 2, "'1'"),
        (">a\nMAGXG\n", 2, "'X'"),
        (">a\n\n", None, "0"),
        ("", None, "0"),
    ],
)
def test_files_that_are_no_sequence_of_vp1(text: str, line: int | None, part: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        settings(fasta(tmp_path, text))
    assert (error.value.file, error.value.line) == ("own.fasta", line)
    assert part in str(error.value)


@pytest.mark.parametrize(
    ("further", "part"),
    [
        ({"capsid.vp3_start": 12}, "methionine"),
        ({"capsid.vp3_start": 21}, "residue of VP1"),
        ({"capsid.vp2_start": "none"}, "vp2_start"),
        ({"capsid.vp2_start": float("inf")}, "vp2_start"),
        ({"capsid.vp2_start": 11}, "beyond vp2_start"),
        ({"capsid.vp_masses": [3.0, 2.0, 1.0]}, "capsid.fasta"),
        ({"capsid.stoichiometry": [0.0, 0.0, 0.0]}, "stoichiometry"),
        ({"capsid.sequence": VP1}, "unknown setting"),
    ],
)
def test_settings_that_can_not_be_followed(further: dict[str, object], part: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=part):
        settings(fasta(tmp_path, f">x\n{VP1}\n"), **further)


def test_masses_and_stoichiometry_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="lighter than the one before"):
        build(TechniqueSettings, {"capsid.vp_masses": "60000,66000,81000"})
    with pytest.raises(UsageError, match=r"capsid\.fasta"):
        build(TechniqueSettings, {"capsid.stoichiometry": "1,1,8"})
