"""QIAcuity's lists of results, in all layouts of the software."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import InputError
from aavqc.parsers.qiacuity import FORMAT
from aavqc.records import DropletPlate
from format_samples import qiacuity_list

OLD = (
    "sep=,,,,,,,,,,,,,\r\n"
    ",Sample/NTC/Control,Type,Plate ID,Reaction Mix,Target,IC,Control type,Concentration (copies/µL),"
    "CI (95%),Partitions (valid),Partitions (positive),Partitions (negative),Threshold\r\n"
    "B1,S2,Non Template Control,1,Mix,ITR,-,-,0,-,25000,0,25000,-\r\n"
    "A1,S1,Sample,1,Mix,ITR,-,-,100.5,4.60%,25000,2000,23000,53.55\r\n"
    "A1,S1,Sample,1,Mix,CMV,-,-,50.25,6.60%,25000,1000,24000,40\r\n"
)
MEAN = (
    "sep=,\n"
    '"","Sample/NTC/Control","Reaction Mix","Target","IC","Control type","Conc. [copies/\ufffdL]","CI (95%)",'
    '"Mean conc. [copies/\ufffdL]","CI (95%)","SD","CV%","Partitions (valid)","Partitions (positive)",'
    '"Partitions (negative)","Threshold"\n'
    '"A1","S1","Mix","CD3","-","-","120.0","2.5%","85.20","62.8%","126.7","148.73%","25000","2500","22500","66.19"\n'
)


def plate(folder: Path, data: str | bytes, name: str = "list.csv") -> DropletPlate:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    record = read(folder)
    assert isinstance(record, DropletPlate)
    assert record.format == "qiacuity"
    return record


def test_the_old_layout(tmp_path: Path) -> None:
    found = plate(tmp_path, OLD)
    assert found.software.startswith("QIAcuity Software Suite 1")
    assert [(r.well, r.target, r.accepted, r.positives, r.threshold) for r in found.rows] == [
        ("A01", "CMV", 25000, 1000, 40.0),
        ("A01", "ITR", 25000, 2000, 53.55),
        ("B01", "ITR", 25000, 0, None),
    ]
    first = found.rows[1]
    assert (first.copies_per_ul, first.sample, first.sample_type, first.line) == (100.5, "S1", "Sample", 4)
    assert first.ci_low == pytest.approx(100.5 * 0.954)
    assert (found.rows[2].ci_low, found.rows[2].partition_volume_nl) == (None, None)


def test_the_layout_with_means_takes_the_well_s_own_interval(tmp_path: Path) -> None:
    (row,) = plate(tmp_path, MEAN).rows
    assert row.copies_per_ul == 120.0
    assert row.ci_high == pytest.approx(120 * 1.025)


def test_the_new_layout_reports_volumes_and_the_dilution(tmp_path: Path) -> None:
    found = plate(tmp_path, qiacuity_list())
    first, blank = found.rows
    assert found.software == "QIAcuity Software Suite 2, Nanoplate 8.5K 96-well"
    assert first.dilution is not None
    assert (first.dilution.factor, first.dilution.template_ul, first.dilution.reaction_ul) == (1000, 4, 12)
    assert first.dilution.copies_per_ml == 6238324624.8
    assert first.copies_per_ul == 2079.4415
    assert first.partition_volume_nl == pytest.approx(2836.7 / 8510, rel=1e-12)
    assert blank.partition_volume_nl == first.partition_volume_nl
    assert (blank.positives, blank.copies_per_ul) == (0, 0.0)


def test_blank_wells_alone_have_the_partitions_of_their_plate(tmp_path: Path) -> None:
    text = qiacuity_list().decode()
    header, blank = (
        text.split("\n")[:2],
        text.split("\n")[3].replace('"","",""', '"P","i","Nanoplate 8.5K 96-well"'),
    )
    (row,) = plate(tmp_path / "a", "\n".join([*header, blank])).rows
    assert row.partition_volume_nl == pytest.approx(2836.7 / 8510)
    other = blank.replace("8.5K 96", "26K 24")
    (row,) = plate(tmp_path / "b", "\n".join([*header, other])).rows
    assert row.partition_volume_nl is None


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    text = OLD.replace("sep=,,,,,,,,,,,,,", "sep=;").replace("copies/µL", "copies/\ufffdL")
    head, *rows = text.split("\r\n")
    local = [head, *(row.replace(",", ";").replace(".", ",") for row in rows)]
    local[1] = rows[0].replace(",", ";")
    assert [r.copies_per_ul for r in plate(tmp_path / "a", "\r\n".join(local)).rows] == [50.25, 100.5, 0.0]
    mixed = "\r\n".join(local).replace("50,25", "50.25")
    with pytest.raises(InputError, match="decimal point"):
        plate(tmp_path / "b", mixed)


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("2000,23000", "2000,23001"), 4, "sum of positives"),
        (("A1,S1,Sample,1,Mix,CMV", "A1,S1,Sample,1,Mix,ITR"), 5, "twice"),
        (("100.5,4.60%", "x,4.60%"), 4, "no number"),
        (("A1,S1", "Q,S1"), 4, "no well"),
        (("Target,IC", "Tgt,IC"), 2, "column Target"),
    ],
)
def test_a_fault_is_named_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        plate(tmp_path, OLD.replace(*change, 1))
    assert caught.value.line == line


def test_sniffs_its_own_only(example_lot: Path) -> None:
    assert FORMAT.sniff(OLD.encode(), "x.csv")
    assert not FORMAT.sniff((example_lot / "ddpcr" / "EX24-001.csv").read_bytes()[:8192], "x.csv")
    assert not FORMAT.sniff(b"", "x.csv")


def test_real_lists_are_read_and_analysed(reference_data: Path) -> None:
    folder = reference_data / "ddpcr" / "allotropy_exports" / "qiacuity_dpcr" / "testdata"
    rows = {path.name[-6:-4]: len(analyze(path).payload.wells or []) for path in sorted(folder.glob("*.csv"))}
    assert rows == {"01": 6, "02": 6, "03": 24, "04": 32}


def test_real_volumes_give_the_concentrations_of_the_plate_back(reference_data: Path) -> None:
    folder = reference_data / "ddpcr" / "allotropy_exports" / "qiacuity_dpcr" / "testdata"
    found = read(folder / "qiacuity_dpcr_example04.csv")
    assert isinstance(found, DropletPlate)
    usable = 0
    for row in found.rows:
        assert row.partition_volume_nl is not None
        if not row.copies_per_ul or not row.negatives or row.accepted is None or row.dilution is None:
            continue
        density = math.log(row.accepted / row.negatives)
        assert 1e3 * density / row.partition_volume_nl == pytest.approx(row.copies_per_ul, rel=1e-11)
        chain = row.dilution
        assert chain.template_ul is not None
        assert chain.reaction_ul is not None
        undiluted = row.copies_per_ul * chain.reaction_ul / chain.template_ul * chain.factor * 1000
        assert undiluted == pytest.approx(chain.copies_per_ml, rel=1e-11)
        usable += 1
    assert usable == 29
