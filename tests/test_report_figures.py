"""Figures for reviewers: what they show, what they say, and bytes that depend on nothing else."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import aavqc
from aavqc.batch.outputs import npz_bytes
from aavqc.documents import Sample, Well
from aavqc.errors import InputError, UsageError
from aavqc.report.ddpcr_figures import draw_droplets
from aavqc.report.pictures import Picture
from aavqc.report.plots import arrays_of, draw_bitmap, draw_scans, figures, load_arrays, plot, styled
from aavqc.report.style import COLOURS, HATCHES, drawable, label_wells, new_figure, panels
from aavqc.result import Result
from aavqc.simulate import run as simulate
from cdms_lists import SLOPE, Lot
from cdms_lists import draw as draw_ions

HOSTILE = (
    "<img src=x onerror=alert(1)> $\\frac{1}{$ "
    + "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd 😀🧬 =cmd()\x00 "
    + "n" * 300
)


@pytest.fixture(scope="module")
def auc(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Two wavelengths of a simulated lot; small, for speed."""
    folder = tmp_path_factory.mktemp("auc") / "run"
    simulate("auc", folder, settings={"wavelengths": [260, 280], "scans": 14, "radial_step": 0.01})
    known = {"extinction.set": "sommer2003-denatured", "density": 1.0, "viscosity": 1.002}
    return aavqc.analyze(folder, design_length=4700, **known)


@pytest.fixture(scope="module")
def cdms() -> Result:
    record = draw_ions(Lot((0.2, 0.1, 0.68, 0.02), ions=1500), 3)
    return aavqc.analyze(record, design_length=4700, serotype="AAV2", charge_slope=SLOPE)


@pytest.fixture(scope="module")
def plate(example_lot: Path) -> Result:
    return aavqc.analyze(
        example_lot / "ddpcr" / "EX24-001.csv",
        method=example_lot / "method_ddpcr.toml",
        samples=example_lot / "samples.csv",
    )


@pytest.fixture(scope="module")
def svg(results: list[Result]) -> dict[str, bytes]:
    return {p.id: p.svg() for result in results for p in drawn(result).values() if p.figure is not None}


@pytest.fixture(scope="module")
def results(auc: Result, cdms: Result, plate: Result) -> list[Result]:
    return [auc, cdms, plate]


def drawn(result: Result, number: int = 0) -> dict[str, Picture]:
    return {p.id: p for p in figures(result.payload, result.arrays, result.samples[number])}


def test_every_figure_of_the_three_techniques_is_drawn(results: list[Result]) -> None:
    found = [p for result in results for p in drawn(result).values()]
    assert [p.id for p in found] == [
        *("auc-scans", "auc-distribution", "auc-length", "auc-wavelengths"),
        *("cdms-map", "cdms-mass", "cdms-methods", "cdms-funnel", "cdms-calibration"),
        *("ddpcr-droplets", "ddpcr-clusters", "ddpcr-calls", "ddpcr-replicates", "ddpcr-integrity"),
    ]
    lacking = {p.id: p.reason for p in found if p.figure is None}
    assert list(lacking) == ["cdms-calibration"]  # a slope is given, and no standard is in the file
    assert "no standards" in str(lacking["cdms-calibration"])
    for p in found:
        if p.figure is not None:
            assert p.caption.endswith(".")
            assert len(p.alt) > 30
            assert p.figure.get_size_inches()[0] <= 6.4


def test_a_report_of_three_techniques_stays_small(svg: dict[str, bytes]) -> None:
    assert sum(map(len, svg.values())) < 4e6
    for content in svg.values():
        root = ET.fromstring(content)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert b"<dc:date>" not in content
        assert b"Matplotlib" not in content


@pytest.mark.parametrize("name", ["auc-scans", "cdms-map", "ddpcr-droplets", "ddpcr-clusters"])
def test_points_and_bitmaps_are_pictures_inside_the_svg(svg: dict[str, bytes], name: str) -> None:
    assert svg[name].count(b"<image") >= 1
    assert svg[name].count(b"<use") < 2000  # no mark of each droplet


def test_bytes_are_the_same_whatever_is_set_and_done_before(cdms: Result, svg: dict[str, bytes]) -> None:
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "lines.markersize": 12, "figure.dpi": 300}):
        for name, picture in drawn(cdms).items():
            if picture.figure is not None:
                picture.png(50)
                assert picture.svg() == svg[name], name


def test_bytes_are_the_same_in_another_process(tmp_path: Path, plate: Result, svg: dict[str, bytes]) -> None:
    script = (
        "import sys, hashlib, json, pathlib\n"
        "from aavqc.documents import Payload\n"
        "from aavqc.report.plots import figures, load_arrays\n"
        "payload = Payload.model_validate_json(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "arrays = load_arrays(sys.argv[2])\n"
        "for p in figures(payload, arrays, payload.samples[0]):\n"
        "    print(p.id, hashlib.sha256(p.svg()).hexdigest())\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    (tmp_path / "p.json").write_text(plate.payload.model_dump_json(by_alias=True))
    (tmp_path / "a.npz").write_bytes(npz_bytes(plate.arrays))
    told = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "p.json", tmp_path / "a.npz"],
        env={"PYTHONHASHSEED": "7", "HOME": str(tmp_path), "TZ": "Asia/Tokyo", "PATH": "/usr/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here = [f"{n} {hashlib.sha256(b).hexdigest()}" for n, b in svg.items() if n.startswith("ddpcr")]
    assert told.splitlines() == here


def test_nothing_global_is_changed(cdms: Result) -> None:
    before = dict(mpl.rcParams)
    for p in drawn(cdms).values():
        if p.figure is not None:
            p.svg()
    plot(cdms)
    assert dict(mpl.rcParams) == before


def test_hostile_names_are_letters_and_nothing_else(plate: Result, cdms: Result) -> None:
    def renamed(row: Well) -> Well:
        return row.model_copy(update={"target": f"{row.channel}{HOSTILE}"})

    sample = plate.samples[0]
    names = {"CAG": f"Ch1{HOSTILE}", "polyA": f"Ch2{HOSTILE}"}
    targets = {names[t]: found for t, found in sample.diagnostics["targets"].items()}
    integrity = sample.diagnostics["integrity"] | {"targets": list(names.values())}
    diagnostics = sample.diagnostics | {"targets": targets, "integrity": integrity}
    hostile = sample.model_copy(update={"diagnostics": diagnostics})
    payload = plate.payload.model_copy(
        update={"samples": [hostile], "wells": [renamed(w) for w in plate.payload.wells or []]}
    )
    pictures = figures(payload, plate.arrays, hostile)
    assert all(p.figure is not None for p in pictures)
    steps = [{"step": f"dropped: {HOSTILE}", "ions": 3}, {"step": "used", "ions": 9}]
    odd = cdms.samples[0].model_copy(
        update={
            "diagnostics": cdms.samples[0].diagnostics | {"funnel": [{"step": "read", "ions": 12}, *steps]}
        }
    )
    pictures += figures(cdms.payload, cdms.arrays, odd)
    for p in pictures:
        if p.figure is not None:
            ET.fromstring(p.svg())


def test_names_are_cut_and_cleaned() -> None:
    assert len(drawable(HOSTILE)) <= 32
    assert drawable("a\u202eb\x07") == "a b"
    assert drawable("🧬") == "□"


def test_classes_differ_in_grey_too() -> None:
    rgb = {name: np.array(mpl.colors.to_rgb(c)) for name, c in COLOURS.items()}
    grey = {name: float(x @ [0.2126, 0.7152, 0.0722]) for name, x in rgb.items()}
    names = list(COLOURS)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            assert HATCHES[a] != HATCHES[b] or abs(grey[a] - grey[b]) > 0.15, (a, b)


# ---------------------------------------------------------------- what is drawn is what was found


def test_bounds_in_the_distribution_are_those_of_the_result(auc: Result) -> None:
    figure = drawn(auc)["auc-distribution"].figure
    assert figure is not None
    lines = [
        float(np.ravel(line.get_xdata())[0]) for line in figure.axes[0].lines if line.get_linestyle() == "--"
    ]
    assert lines == auc.samples[0].diagnostics["class_windows"]["edges"][1:-1]


def test_lengths_in_the_arrays_part_the_classes_as_s_does(auc: Result) -> None:
    (record,) = {s.record for s in auc.samples}
    arrays, windows = arrays_of(record, auc.arrays), auc.samples[0].diagnostics["class_windows"]
    s, length = arrays["s"], arrays["length_nt"]
    assert np.all(np.diff(length) > 0)
    assert np.interp(windows["s_empty"], s, length) == pytest.approx(0.0, abs=15)
    for bound, edge in zip((0.1, 0.85, 1.1), windows["edges"][1:-1], strict=True):
        assert np.interp(edge, s, length) == pytest.approx(bound * 4700, abs=15)


def test_scans_less_fit_are_the_residuals_of_the_bitmap(auc: Result) -> None:
    sample = auc.samples[0]
    for suffix in ("", "_1"):
        arrays = arrays_of(sample.record, auc.arrays)
        residual = arrays[f"scans{suffix}"] - arrays[f"fit{suffix}"]
        assert residual.shape == (14, arrays[f"radius_cm{suffix}"].size)
        grey = arrays[f"residual_bitmap{suffix}"][:, : residual.shape[1]].astype(float) - 128
        assert np.corrcoef(residual.ravel(), grey.ravel())[0, 1] > 0.98  # one is cut to 8 bits, ±4 noise
        assert float(np.std(residual)) == pytest.approx(sample.diagnostics["channels"][0]["rmsd"], rel=0.1)


def test_systematic_noise_is_taken_out_of_the_scans_shown(tmp_path: Path) -> None:
    simulate(
        "auc",
        tmp_path / "run",
        settings={"optics": "interference", "scans": 14, "radial_step": 0.01, "od": 2},
    )
    result = aavqc.analyze(tmp_path / "run", resolution=40)
    sample = result.samples[0]
    arrays = arrays_of(sample.record, result.arrays)
    assert sample.diagnostics["noise_removed"] == ["ti", "ri"]
    # boundaries have left the meniscus side of the last scans: nothing is left there but noise
    left_behind = arrays["scans"][-3:, :10]
    assert np.abs(left_behind).max() < 0.1
    assert arrays["scans"][0, -10:].mean() == pytest.approx(2.0, rel=0.1)
    assert "Time-invariant and radius-invariant noise is taken out" in drawn(result)["auc-scans"].caption


def test_scans_without_data_at_some_radii_leave_gaps() -> None:
    sample = Sample(sample_id="a", record="r", diagnostics={"signal_unit": "OD"})
    scans = np.ones((2, 5))
    scans[0, :2] = np.nan
    arrays = {
        "scans": scans,
        "fit": scans,
        "radius_cm": np.linspace(6, 7, 5),
        "time_s": np.array([60.0, 120.0]),
        "residual_bitmap": np.full((2, 5), 128, np.uint8),
    }
    with styled():
        figure = new_figure(2.0)
        ((ax, below),) = panels(figure, 1, 2)
        draw_scans(ax, sample, arrays)
        draw_bitmap(below, arrays)
    assert np.isnan(np.asarray(ax.lines[1].get_ydata(), float)).sum() == 2
    assert Picture("x", "x", "x.", "x", figure).svg()


def test_masses_show_bounds_and_expected_masses(cdms: Result) -> None:
    figure = drawn(cdms)["cdms-mass"].figure
    assert figure is not None
    at = {style: [] for style in ("--", ":")}  # type: dict[str, list[float]]
    for line in figure.axes[0].lines:
        if line.get_linestyle() in at:
            at[str(line.get_linestyle())].append(float(np.ravel(line.get_xdata())[0]))
    edges = cdms.samples[0].diagnostics["methods"]["mixture"]["edges_mda"]
    assert at["--"] == pytest.approx(edges[1:-1])
    assert at[":"] == pytest.approx([3.7404, 3.7404 + 4700 * 308.95e-6])
    shares = [a for a in cdms.samples[0].attributes if a.name == "percent_full"]
    assert f"full {shares[0].value:.1f} %" in str([t.get_text() for t in figure.axes[0].get_legend().texts])


def test_the_funnel_adds_up(cdms: Result) -> None:
    figure = drawn(cdms)["cdms-funnel"].figure
    assert figure is not None
    bars = [(p.get_x(), p.get_width()) for p in figure.axes[0].patches]
    read, *taken, used = bars
    left = read[1]
    for x, width in taken:
        left -= width
        assert x == pytest.approx(left)
    assert used == (0, left)


def test_thresholds_are_drawn_where_the_rows_have_them(plate: Result) -> None:
    figure = drawn(plate)["ddpcr-droplets"].figure
    assert figure is not None
    for ax, channel in zip(figure.axes, ("Ch1", "Ch2"), strict=True):
        segments = [s for c in ax.collections for s in c.get_segments()]  # type: ignore[attr-defined]
        named = [t.get_text() for t in ax.get_xticklabels()]
        shown_at = {named[round(float(s[:, 0].mean()))]: float(s[0, 1]) for s in segments}
        rows = {w.well: w.threshold for w in plate.payload.wells or [] if w.channel == channel}
        assert shown_at == {well: rows[well] for well in ("A01", "B01", "C01", "D01", "F01")}


def test_each_channel_is_drawn_from_its_own_column(plate: Result) -> None:
    arrays = arrays_of(plate.samples[0].record, plate.arrays)
    assert arrays["channels/A01"].tolist() == ["Ch1", "Ch2"]
    swapped = dict(plate.arrays)
    for name in plate.arrays:
        if "/droplets/" in name:
            swapped[name] = plate.arrays[name][:, ::-1]
        if "/channels/" in name:
            swapped[name] = plate.arrays[name][::-1]
    one = drawn(plate)["ddpcr-clusters"].figure
    (other,) = (
        p.figure for p in figures(plate.payload, swapped, plate.samples[0]) if p.id == "ddpcr-clusters"
    )
    assert one is not None
    assert other is not None
    assert one.axes[0].get_xlim() == other.axes[0].get_ylim()  # the order of channels is the columns'
    assert other.axes[-1].get_xlabel() == "Ch2, polyA"


# ---------------------------------------------------------------- what can't be drawn


def reasons(pictures: list[Picture]) -> dict[str, str]:
    return {p.id: str(p.reason) for p in pictures if p.figure is None}


def test_a_distribution_alone_has_its_distribution(tmp_path: Path) -> None:
    s = np.arange(1.0, 200.0, 0.5)
    density = 0.2 * np.exp(-(((s - 64) / 3) ** 2)) + 0.8 * np.exp(-(((s - 105) / 3) ** 2))
    (tmp_path / "cs.dat").write_text("\n".join(f"{a:.1f}\t{b:.6f}" for a, b in zip(s, density, strict=True)))
    result = aavqc.analyze(tmp_path / "cs.dat", design_length=4700)
    pictures = figures(result.payload, result.arrays, result.samples[0])
    assert reasons(pictures) == {
        "auc-scans": "a distribution without its scans",
        "auc-length": "no packaged lengths: no fit with a design_length, or no capsid seen",
    }
    assert "No interval is stated." in pictures[1].caption


def test_masses_without_charges(tmp_path: Path) -> None:
    simulate("cdms", tmp_path, settings={"formats": ["mass_list", "photometry"], "name": "x", "ions": 1500})
    for name, word in (("x_masses.csv", "ions"), ("x_photometry.csv", "particles")):
        result = aavqc.analyze(tmp_path / name, design_length=4700, mass_unit="Da")
        pictures = figures(result.payload, result.arrays, result.samples[0])
        assert list(reasons(pictures)) == ["cdms-map", "cdms-calibration"]
        mass = next(p for p in pictures if p.id == "cdms-mass")
        assert mass.figure is not None
        assert mass.figure.axes[0].get_ylabel() == word
        # DNA scatters unlike the protein of photometry's calibration: no mass is expected of it
        assert ("Dotted" in mass.caption) == (word == "ions")


def test_counts_without_droplets(plate: Result) -> None:
    pictures = figures(plate.payload, {}, plate.samples[0])
    assert reasons(pictures) == dict.fromkeys(
        ("ddpcr-droplets", "ddpcr-clusters"), "the export has counts and no droplets"
    )


def test_without_arrays_what_the_document_tells_is_drawn(auc: Result, cdms: Result) -> None:
    lacking = [*reasons(figures(auc.payload, {}, auc.samples[0]))]
    lacking += reasons(figures(cdms.payload, {}, cdms.samples[0]))
    assert lacking == [
        "auc-scans", "auc-length", "auc-wavelengths", "cdms-map", "cdms-mass", "cdms-calibration",
    ]  # fmt: skip


def test_ions_without_a_calibration_have_a_reason_for_each_figure() -> None:
    record = draw_ions(Lot((0.2, 0.1, 0.68, 0.02), ions=200), 3)
    result = aavqc.analyze(record, design_length=4700)
    assert result.samples[0].status == "invalid"
    found = reasons(figures(result.payload, result.arrays, result.samples[0]))
    assert list(found) == ["cdms-map", "cdms-mass", "cdms-methods", "cdms-calibration"]
    assert plot(result).axes


def test_no_figure_is_no_bytes() -> None:
    with pytest.raises(UsageError, match="no scans"):
        Picture("auc-scans", "Scans", "", "", None, "no scans").svg()


@pytest.mark.parametrize("source", ["auc", "cdms", "plate"])
def test_plot_gives_a_figure(source: str, request: pytest.FixtureRequest) -> None:
    result: Any = request.getfixturevalue(source)
    stream = io.BytesIO()
    figure = plot(result)
    figure.savefig(stream, format="png")
    assert len(figure.axes) == 1
    assert stream.getvalue().startswith(b"\x89PNG")
    again = io.BytesIO()
    plot(result.document(), result.arrays).savefig(again, format="png")
    assert again.getvalue() == stream.getvalue()
    with pytest.raises(UsageError, match="load_arrays"):
        plot(result.document())


# ---------------------------------------------------------------- arrays beside a result


def test_arrays_come_back_from_their_file(plate: Result, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(npz_bytes(plate.arrays))
    record = plate.samples[0].record
    stored, own = arrays_of(record, load_arrays(path)), arrays_of(record, plate.arrays)
    assert stored.keys() == own.keys()
    assert all(np.array_equal(stored[k], own[k]) for k in own)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x93NUMPY\x01\x00", b"\x00" * 300])
def test_files_that_hold_no_arrays_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="not the arrays of a result"):
        load_arrays(tmp_path / "a.npz")
    assert load_arrays(tmp_path / "missing.npz") == {}


@pytest.mark.parametrize(("wells", "named"), [(3, 3), (28, 28), (29, 15), (96, 24)])
def test_more_wells_than_there_is_room_for_are_named_by_turns(wells: int, named: int) -> None:
    with styled():
        ((ax,),) = panels(new_figure(2.0), 1)
        label_wells(ax, [f"A{i:02d}" for i in range(wells)], 28)
    labels = [t.get_text() for t in ax.get_xticklabels()]
    assert len(labels) == named
    assert labels == [f"A{round(x):02d}" for x in ax.get_xticks()]


def test_a_channel_with_two_targets_shows_both_thresholds(plate: Result) -> None:
    rows = list(plate.payload.wells or [])
    rows += [
        w.model_copy(update={"target": "second", "threshold": 6000.0})
        for w in rows
        if w.channel == "Ch1" and w.threshold is not None
    ]
    arrays = arrays_of(plate.samples[0].record, plate.arrays)
    with styled():
        ((ax,),) = panels(new_figure(2.0), 1)
        draw_droplets(ax, rows, arrays, ["A01"], "Ch1")
    (lines,) = ax.collections
    levels = sorted(float(s[0, 1]) for s in lines.get_segments())  # type: ignore[attr-defined]
    (first,) = {w.threshold for w in rows if w.well == "A01" and w.target == "CAG"}
    assert levels == [first, 6000.0]
    blue = next(line for line in ax.lines if line.get_color() == "#0072B2")
    assert np.min(np.asarray(blue.get_ydata(), float)) > levels[0]
