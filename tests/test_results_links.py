"""Retests, manual changes and procedures: nothing is overwritten, nothing is dropped unsaid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aavqc.attributes import Attribute
from aavqc.documents import MethodUsed, Payload, Sample
from aavqc.errors import SpecificationError, UsageError
from aavqc.records import InputFile
from aavqc.results import Candidate, Change, Links, Retest, Specification, Verdict, manual_change


def full(value: float) -> Attribute:
    return Attribute(name="percent_full", technique="auc", value=value, unit="%")


def result(value: float, result_id: str, **fields: Any) -> Candidate:
    return Candidate(full(value), "S1", result_id=result_id, **fields)


def verdict(*given: Candidate, links: Links | None = None, **test: Any) -> Verdict:
    named = {"id": "full", "attribute": "percent_full", "limit": "NLT 70.0 %", **test}
    return Specification(id="S", version="1", tests=[named]).check(given, links=links)["full"]


def retest(cause: str | None = None) -> Links:
    link = Retest(original="a", retest="b", reason="OOS", actor="N. N.", assignable_cause=cause)
    return Links(retests=(link,))


@pytest.mark.req("SPEC-R12")
def test_r12_a_retest_without_a_cause_replaces_nothing() -> None:
    low, high = result(60.0, "a"), result(90.0, "b")
    assert verdict(low, high).verdict == "INCOMPLETE"
    for how in ("each", "mean", "median"):
        found = verdict(low, high, links=retest(), aggregate=how)
        assert (found.verdict, found.rounded, found.n, found.set_aside) == ("OOS", "60.0", 2, [])
        assert found.trace[0].text == "retest b of a: OOS (N. N.)"
    # a retest is no second replicate
    assert verdict(low, high, links=retest(), replicates={"min": 2}).verdict == "INCOMPLETE"


@pytest.mark.req("SPEC-R12")
def test_r12_an_assignable_cause_sets_the_original_aside_and_keeps_it() -> None:
    found = verdict(result(60.0, "a"), result(90.0, "b"), links=retest("cell leaked"))
    assert (found.verdict, found.rounded, found.n) == ("PASS", "90.0", 1)
    assert [(s.result_id, s.value) for s in found.set_aside] == [("a", 60.0)]
    assert "cell leaked" in found.trace[0].text
    # the retest of an invalid assay
    found = verdict(
        result(60.0, "a", sample_status="invalid"), result(90.0, "b"), links=retest("cell leaked")
    )
    assert found.verdict == "PASS"
    # of another sample of the same result nothing is set aside
    other = Links(retests=(retest("x").retests[0].model_copy(update={"sample_id": "S2"}),))
    second = [replace(result(95.0, name), sample_id="S2") for name in "ab"]
    found = verdict(result(60.0, "a"), result(90.0, "b", replicate="2"), *second, links=other)
    assert (found.verdict, found.rounded) == ("OOS", "60.0")
    assert [s.sample_id for s in found.set_aside] == ["S2"]


@pytest.mark.req("SPEC-R12")
def test_r12_a_link_to_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="'b'"):
        verdict(result(60.0, "a"), links=retest("cell leaked"))


def test_links_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "links.toml"
    path.write_text(
        'schema = "aavqc.links/1"\n[[retests]]\noriginal = "a"\nretest = "b"\nreason = "OOS"\nactor = "N"\n'
    )
    assert Links.load(path).retests[0].assignable_cause is None
    path.write_text(path.read_text().replace('reason = "OOS"', 'reason = ""'))
    with pytest.raises(SpecificationError) as raised:
        Links.load(path)
    assert raised.value.line == 5


def payload(value: float, meniscus: float, sha: str = "0" * 64) -> Payload:
    method = MethodUsed(
        name="m", version="1", technique="auc", settings={"meniscus": meniscus, "fit_range": [6.1, 7.1]}
    )
    sample = Sample(sample_id="S1", record="r", attributes=[full(value)])
    files = [InputFile(name="a.RA1", sha256=sha, size=1)]
    return Payload(technique="auc", inputs=files, method=method, algorithms=["x/1"], samples=[sample])


@pytest.mark.req("SPEC-R12")
def test_r12_a_manual_change_keeps_old_and_new() -> None:
    change = Change(before="a", after="b", reason="artefact taken for the meniscus", actor="N. N.")
    found = manual_change(change, payload(60.0, 6.02), payload(80.0, 5.98))
    assert [(s.setting, s.old, s.new) for s in found.settings] == [("meniscus", 6.02, 5.98)]
    assert [(a.attribute, a.before, a.after) for a in found.attributes] == [("percent_full", 60.0, 80.0)]
    assert (found.actor, found.reason) == ("N. N.", "artefact taken for the meniscus")
    for other in (payload(80.0, 5.98, "1" * 64), payload(80.0, 6.02)):
        with pytest.raises(UsageError):
            manual_change(change, payload(60.0, 6.02), other)
    judged = verdict(result(60.0, "a"), result(80.0, "b"), links=Links(changes=(change,)))
    assert (judged.verdict, judged.n, judged.set_aside[0].value) == ("PASS", 1, 60.0)


@pytest.mark.req("SPEC-R18")
def test_r18_a_procedure_selects_and_two_procedures_are_two_candidates() -> None:
    old, new = result(60.0, "a", procedure="TP-1 v1"), result(80.0, "b", procedure="TP-1 v2")
    assert verdict(old, new).verdict == "INCOMPLETE"
    assert "TP-1 v1" in verdict(old, new).reason
    assert verdict(old, new, procedure="TP-1 v2").verdict == "PASS"
    assert verdict(old, new, procedure="TP-1 v1").verdict == "OOS"
    assert verdict(old, new, procedure="TP-9").verdict == "INCOMPLETE"
    # what does not state its procedure may be the test's
    assert verdict(result(60.0, "c"), new, procedure="TP-1 v2").verdict == "INCOMPLETE"
    assert verdict(result(60.0, "c"), procedure="TP-1 v2").verdict == "OOS"


@pytest.mark.req("SPEC-R12")
def test_r12_what_is_set_aside_has_one_order() -> None:
    one = {"reason": "r", "actor": "N. N.", "assignable_cause": "c"}
    links = Links(retests=[{"original": a, "retest": b, **one} for a, b in ("ab", "bc")])  # type: ignore[arg-type]
    given = [result(value, name) for value, name in ((60.0, "a"), (65.0, "b"), (90.0, "c"))]
    found = verdict(*given, links=links)
    assert [s.result_id for s in found.set_aside] == ["a", "b"]
    assert verdict(*given[::-1], links=links) == found


@pytest.mark.req("SPEC-R13")
def test_links_bring_the_results_of_earlier_lots(tmp_path: Path) -> None:
    path = tmp_path / "links.toml"
    path.write_text('schema = "aavqc.links/1"\n\n[earlier]\nfull = [80, 79.5, 81.0, 80.5]\npart = [3.0]\n')
    links = Links.load(path)
    with pytest.raises(UsageError, match="did you mean part_auc") as caught:
        links.refuse_other_tests(["full", "part_auc"])
    assert (caught.value.file, caught.value.line) == ("links.toml", 5)
    links.refuse_other_tests(["full", "part"])
    for value, outcome in ((80.0, "PASS"), (95.0, "OOT"), (60.0, "OOS")):
        found = verdict(result(value, "R1"), links=links.within([result(value, "R1")]), trend={"min": 4})
        assert found.verdict == outcome
    path.write_text('schema = "aavqc.links/1"\n[earlier]\nfull = [80, nan]\n')
    with pytest.raises(SpecificationError, match="Out of range"):
        Links.load(path)
    for bad in ("1e300", "true", '"80"'):
        path.write_text(f'schema = "aavqc.links/1"\n[earlier]\nfull = [80, {bad}]\n')
        with pytest.raises(SpecificationError, match=r"earlier\.full\.1"):
            Links.load(path)


def test_a_link_to_nothing_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "links.toml"
    text = (
        'schema = "aavqc.links/1"\n\n[[retests]]\noriginal = "R1"\nretest = "R9"\nreason = "r"\nactor = "A"\n'
    )
    path.write_text(text)
    links = Links.load(path)
    with pytest.raises(UsageError, match="R9") as caught:
        links.refuse_impossible(["R1"])  # before anything is computed
    assert (caught.value.file, caught.value.line) == ("links.toml", 5)
    links.refuse_impossible(["R1", "R9"])
    path.write_text(text.replace("R9", "0" * 32))  # may be the hash of a job: known after the analysis
    links = Links.load(path)
    links.refuse_impossible(["R1"])
    with pytest.raises(UsageError, match="0000") as caught:
        verdict(result(80.0, "R1"), links=links)
    assert (caught.value.file, caught.value.line) == ("links.toml", 5)
