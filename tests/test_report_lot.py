"""Figures of a lot: limits and results in one unit, intervals, compositions in the triangle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import aavqc
from aavqc import Attribute, Specification
from aavqc.documents import Sample
from aavqc.report.plots import draw_ternary, lot_figures, measured, rows_of, styled
from aavqc.report.style import new_figure, panels
from aavqc.results import Evaluation, candidates_of


def attribute(name: str, value: float, unit: str = "%", **more: Any) -> Attribute:
    half = more.pop("half", None)
    if half is not None:
        more |= {"ci_low": value - half, "ci_high": value + half, "coverage": 0.95, "scope": "fit"}
    return Attribute(name=name, technique=more.pop("technique", "auc"), value=value, unit=unit, **more)


def judged(limit: str, *found: Attribute, **keys: Any) -> tuple[Evaluation, Mapping[str, Any]]:
    """Judge attributes of one sample each; returns the evaluation and what stands for documents."""
    test = {"id": "t", "attribute": found[0].name, "limit": limit} | keys.pop("test", {})
    spec = Specification.model_validate(
        {"schema": "aavqc.specification/1", "id": "S", "version": "1", "tests": [test], **keys}
    )
    documents = {}
    given = []
    for i, a in enumerate(found):
        sample = Sample(sample_id=f"s{i}", record="r", lot="L", attributes=[a])
        documents[f"job{i}"] = document(a.technique, sample)
        given += candidates_of([sample], f"job{i}", a.technique)
    return spec.check(given, lot="L"), documents


def document(technique: str, *samples: Sample) -> Any:
    return SimpleNamespace(samples=list(samples), payload=SimpleNamespace(technique=technique))


@pytest.mark.parametrize(
    ("limit", "unit", "ends"),
    [
        ("NLT 70.0 %", "%", (70.0, None)),
        ("NMT 20 %", "%", (None, 20.0)),
        ("60 – 90 %", "%", (60.0, 90.0)),
        ("75 ± 10 %", "%", (65.0, 85.0)),  # points of percent, for what is in percent
        ("report", "%", (None, None)),
        ("NMT 4000 kDa", "MDa", (None, 4.0)),
        ("4.7 ± 10 %", "MDa", (4.23, 5.17)),
    ],
)
def test_limits_stand_in_the_unit_of_the_result(
    limit: str, unit: str, ends: tuple[float | None, float | None]
) -> None:
    (row,) = rows_of(*judged(limit, attribute("thing", 75.0, unit, half=1.0)))
    (point,) = row.points
    value, low, high = point.value, point.low, point.high
    scale = value / 75.0
    assert low == pytest.approx(74.0 * scale)
    assert high == pytest.approx(76.0 * scale)
    found = tuple(None if x is None else x / scale for x in row.limit)
    assert found == tuple(None if x is None else pytest.approx(x) for x in ends)


def test_a_limit_with_a_decimal_comma_is_read() -> None:
    found = judged("NLT 70,5 %", attribute("thing", 75.0), decimal=",")
    assert rows_of(*found)[0].limit == (70.5, None)


def test_limits_in_percent_of_label_stand_on_that_scale() -> None:
    titer = attribute("titer", 1.05e13, "vg/mL", half=2e11)
    found = judged("90 – 110 % of label", titer, test={"label": "1.0E13 vg/mL"})
    (row,) = rows_of(*found)
    assert row.limit == (90.0, 110.0)
    (point,) = row.points
    assert (point.value, point.low, point.high) == pytest.approx((105.0, 103.0, 107.0))


def test_a_limit_that_only_its_specification_can_read_leaves_its_words() -> None:
    titer = attribute("titer", 1e13, "vg/mL")
    evaluation, documents = judged("NLT 8.0E12 doses", titer, aliases={"doses": "vg/mL"})
    (row,) = rows_of(evaluation, documents)
    assert row.limit == (None, None)
    picture = lot_figures(evaluation, documents)[0]
    assert picture.figure is not None
    assert "limit NLT 8.0E12 doses" in [t.get_text() for t in picture.figure.axes[0].texts]


def test_marks_lie_on_the_side_of_the_limit_that_the_verdict_says() -> None:
    for value, verdict in ((75.0, "PASS"), (65.0, "OOS")):
        evaluation, documents = judged("NLT 70 %", attribute("thing", value, half=1.0))
        picture = lot_figures(evaluation, documents)[0]
        assert picture.figure is not None
        ax = picture.figure.axes[0]
        (limit,) = (line.get_xdata()[0] for line in ax.lines if line.get_linewidth() == 1.4)
        (mark,) = (line.get_xdata()[0] for line in ax.lines if line.get_marker() in ("o", "X"))
        assert (mark > limit) == (verdict == "PASS")
        assert any(t.get_text().startswith(verdict) for t in ax.texts)
        assert "Intervals (95 %) cover this fit." in picture.caption


def test_a_censored_result_is_an_arrow_from_its_bound() -> None:
    censored = attribute("thing", 0.1, qualifier="<", bound=0.5, half=0.05)
    evaluation, documents = judged("NMT 2 %", censored)
    (row,) = rows_of(evaluation, documents)
    assert (row.points[0].value, row.points[0].low, row.points[0].qualifier) == (0.5, None, "<")
    figure = lot_figures(evaluation, documents)[0].figure
    assert figure is not None
    assert not [line for line in figure.axes[0].lines if line.get_marker() == "o"]


def test_results_from_elsewhere_have_no_interval_here() -> None:
    evaluation, _ = judged("NLT 70 %", attribute("thing", 75.0, half=1.0))
    (row,) = rows_of(evaluation, {})
    assert (row.points[0].value, row.points[0].low) == (75.0, None)
    assert "No interval is stated." in lot_figures(evaluation, {})[0].caption


def test_tests_without_numbers_are_left_out_and_counted() -> None:
    evaluation, documents = judged("NLT 70 %", attribute("other", 75.0), test={"attribute": "missing"})
    pictures = lot_figures(evaluation, documents)
    assert [p.reason for p in pictures] == [
        "no test has a number",
        "no method lists empty, partial and full capsids",
    ]


def composition(technique: str, empty: float, partial: float, full: float, **identity: Any) -> Any:
    found = [
        attribute(f"percent_{name}", value, half=0.5, technique=technique)
        for name, value in (("empty", empty), ("partial", partial), ("full", full), ("overfull", 0.0))
    ]
    return document(technique, Sample(sample_id="s", record="r", attributes=found, **identity))


def test_compositions_are_those_of_the_lots_valid_samples() -> None:
    evaluation, _ = judged("NLT 70 %", attribute("thing", 75.0))
    documents = {
        "a": composition("cdms", 12, 8, 80, lot="L"),
        "b": composition("auc", 10, 10, 80, lot="L"),
        "c": composition("auc", 50, 10, 40, lot="another"),
        "d": composition("auc", 50, 10, 40, lot="L", role="reference"),
        "e": composition("auc", 50, 10, 40, lot="L", status="invalid"),
    }
    found = measured(evaluation, documents)
    assert [m.method for m in found] == ["auc", "cdms"]
    assert found[1].shares == pytest.approx((0.12, 0.08, 0.8))
    assert found[1].ends[0] == pytest.approx((0.115, 0.125))
    picture = lot_figures(evaluation, documents)[1]
    assert picture.figure is not None
    assert (
        picture.alt
        == "auc: empty 10.0 %, partial 10.0 %, full 80.0 %; cdms: empty 12.0 %, partial 8.0 %, full 80.0 %."
    )


@pytest.mark.parametrize("origin", [(0.0, 0.0, 0.0), (0.05, 0.02, 0.68)])
def test_a_place_in_the_triangle_is_its_composition(origin: tuple[float, float, float]) -> None:
    evaluation, _ = judged("NLT 70 %", attribute("thing", 75.0))
    (m,) = measured(evaluation, {"a": composition("auc", 12, 8, 80, lot="L")})
    with styled():
        ((ax,),) = panels(new_figure(3.0), 1)
        draw_ternary(ax, [m], origin)
    (x,), (y,) = next(line.get_data() for line in ax.lines if line.get_marker() == "o")
    side = 1 - sum(origin)
    partial = origin[1] + side * float(y) / (math.sqrt(3) / 2)
    full = origin[2] + side * (float(x) - float(y) / math.sqrt(3))
    assert (partial, full) == (pytest.approx(0.08), pytest.approx(0.8))
    ends = [np.array(line.get_data()) for line in ax.lines if line.get_linewidth() == 1.0]
    assert len(ends) == 3
    for line in ends:  # an interval runs through its mark
        a, b = line.T
        assert np.cross([*(b - a), 0], [*(np.array([x, y]) - a), 0])[2] == pytest.approx(0, abs=1e-9)


def test_the_enlarged_triangle_holds_every_interval_and_has_whole_steps() -> None:
    from aavqc.report.ternary import _moved, _origin

    evaluation, _ = judged("NLT 70 %", attribute("thing", 75.0))
    for shares in ((12, 8, 80), (1, 1, 98), (0, 0, 100), (60, 30, 10), (33, 33, 34)):
        found = measured(evaluation, {"a": composition("auc", *shares, lot="L")})
        origin = _origin(found)
        assert round(100 * (1 - sum(origin))) % 5 == 0
        for m in found:
            for k, ends in enumerate(m.ends):
                for value in ends or ():
                    inside = _moved(m.shares, k, value)
                    assert all(x >= o - 1e-9 for x, o in zip(inside, origin, strict=True))


def test_rows_do_not_share_a_scale() -> None:
    tests = [
        {"id": "a", "attribute": "percent_full", "limit": "NLT 70 %"},
        {"id": "b", "attribute": "vg_titer", "limit": "8.0E12 – 1.3E13 vg/mL"},
    ]
    spec = Specification.model_validate(
        {"schema": "aavqc.specification/1", "id": "S", "version": "1", "tests": tests}
    )
    evaluation = spec.check([attribute("percent_full", 80.0), attribute("vg_titer", 1e13, "vg/mL")])
    figure = lot_figures(evaluation, {})[0].figure
    assert figure is not None
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [line.get_ydata()[0] for line in marks] == [0.0, 1.0]
    assert all(0 < line.get_xdata()[0] < 1 for line in marks)
    assert all(a.span != b.span for a, b in pairwise(rows_of(evaluation, {})))


# ---------------------------------------------------------------- notebook display


def test_a_notebook_shows_tables_with_everything_escaped() -> None:
    hostile = '<img src=x onerror="alert(1)">'
    sample = Sample(
        sample_id=hostile, record="r", lot=hostile, attributes=[attribute("thing", 75.0, half=1.0)]
    )
    evaluation, _ = judged("NLT 70 %", attribute("thing", 75.0), id=hostile)
    evaluation = evaluation.model_copy(update={"lot": hostile})
    spec = Specification.model_validate(
        {
            "schema": "aavqc.specification/1",
            "id": hostile,
            "version": "1",
            "tests": [{"id": hostile, "attribute": "thing", "limit": "NLT 70 %", "procedure": "<script>"}],
        }
    )
    payload = aavqc.documents.Payload(
        technique="auc",
        inputs=[],
        method=aavqc.documents.MethodUsed(name=hostile, version="1", technique="auc", settings={}),
        algorithms=[],
        samples=[sample],
    )
    result = aavqc.Result(payload)
    shown = [
        evaluation._repr_html_(),
        spec._repr_html_(),
        result._repr_html_(),
        result.document()._repr_html_(),
    ]
    assert result.samples[0].attributes._repr_html_() == result.attributes._repr_html_()  # type: ignore[attr-defined]
    for html in shown:
        assert "&lt;img" in html
        assert "<img" not in html
        assert "<script" not in html
        assert html.count("<table>") == html.count("</table>") == 1
    assert "75 % (95 % CI 74–76, scope: fit)" in shown[2]
    assert shown[2] == shown[3]
    assert "PASS" in shown[0]
    assert "not a batch disposition" in shown[0]
