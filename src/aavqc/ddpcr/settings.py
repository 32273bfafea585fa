"""Settings of droplet digital PCR."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from aavqc.documents import ResultDocument, Role
from aavqc.errors import SpecificationError
from aavqc.settings import Include, Settings

IntervalMethod = Literal["wilson", "clopper_pearson", "vendor", "vendor_total"]
Lysis = Literal["in_droplet", "pre_lysis", "unknown"]
Place = Literal["itr", "itr_cut", "promoter", "transgene", "polya", "other"]
Positive = Annotated[float, Field(gt=0, le=1e18)]


class SavedGate(NamedTuple):
    """A gate of a result; one that is stated in its place has no baseline but its own."""

    threshold: Any
    baseline: Any


def include_gates(data: dict[str, Any], path: Path) -> None:
    """Take the gates of a plate's result, each with where its negatives lay."""
    gates: dict[str, SavedGate] = {}
    for sample in ResultDocument.load(path).samples:
        targets = sample.diagnostics.get("targets")
        for target, found in targets.items() if isinstance(targets, dict) else ():
            gate = found.get("gate") if isinstance(found, dict) else None
            if not isinstance(gate, dict):
                continue
            told = SavedGate(gate.get("threshold"), gate.get("baseline"))
            if gates.setdefault(target, told) != told:
                raise SpecificationError(
                    f"two gates of target {target!r}",
                    file=path.name,
                    expected="the result of one plate, a channel each target",
                    found=f"{gates[target].threshold} and {told.threshold}",
                )
    if not gates:
        raise SpecificationError(
            "a result without gates", file=path.name, expected="digital PCR with amplitudes on file"
        )
    data.setdefault("gates", {}).update(gates)
    for target in gates:
        data.get("gate_baselines", {}).pop(target, None)


class TechniqueSettings(Settings):
    """What an analysis of a droplet digital PCR plate can be told."""

    documents: ClassVar[Mapping[str, Include]] = {"gates.file": include_gates}

    @model_validator(mode="before")
    @classmethod
    def _saved_gates(cls, data: Any) -> Any:
        """Part the gates of a file into thresholds and baselines."""
        gates = data.get("gates") if isinstance(data, dict) else None
        if not isinstance(gates, dict):
            return data
        saved = {t: g for t, g in gates.items() if isinstance(g, SavedGate)}
        baselines = {t: g.baseline for t, g in saved.items() if g.baseline is not None}
        return {
            **data,
            "gates": {**gates, **{t: g.threshold for t, g in saved.items()}},
            "gate_baselines": {**baselines, **data.get("gate_baselines", {})},
        }

    calls: Literal["vendor", "own", "auto"] = Field(
        "auto", description="whose positives are used; auto: the vendor's where the export has them"
    )
    gates: dict[str, float] = Field({}, description="threshold by target, instead of finding one")
    gate_baselines: dict[str, float] = Field(
        {}, description="where the negatives lay when a gate was found: wells are shifted to it"
    )
    interval: IntervalMethod = Field(
        "wilson", description="of counts; vendor: as its software prints; vendor_total: of merged wells too"
    )
    partition_volume_nl: float | None = Field(
        None, ge=1e-3, le=1e3, description="instead of the software's value"
    )
    volume_rel_sd: float = Field(
        0.0, ge=0, le=0.5, description="of the mean partition volume; shared by all wells"
    )
    volume_cv: float = Field(
        0.0, ge=0, le=0.5, description="of partitions within a well; 0: all alike, as the vendors assume"
    )
    chain: list[str] = Field(
        [], description="steps name:volume in:volume out[:relative SD], which multiply dilution_factor"
    )
    strand_factor: float = Field(1.0, ge=0.01, le=100, description="genomes a counted molecule")
    targets_per_genome: dict[str, Annotated[float, Field(ge=0.01, le=100)]] = Field(
        {}, description="by target; 1 where not given"
    )
    target_places: dict[str, Place] = Field(
        {}, description="by target: where on the genome; itr needs a digestion state to give vg/mL"
    )
    between_preparation_cv: float = Field(
        0.0, ge=0, le=1, description="of the procedure, for a sample with one preparation"
    )
    min_accepted: int = Field(1000, ge=1000, le=1_000_000, description="droplets that a well needs to count")
    lambda_range: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        [0.0, 8.0], description="copies a droplet of the wells that count for a titer"
    )
    max_cv: float | None = Field(
        None, gt=0, le=1, description="between wells of one dilution; a dilution beyond it does not count"
    )
    parallelism_margin: float = Field(
        0.03, gt=0, le=1, description="change of the dilution-corrected titer between dilutions"
    )
    max_ntc_positives: int = Field(2, ge=0, le=10_000, description="droplets of a well without template")
    expected_titers: dict[str, Positive] = Field(
        {}, description="vg/mL of controls, references and spiked samples, by sample id"
    )
    spike_added: dict[str, Positive] = Field(
        {}, description="vg/mL added to a sample, by its id; recovery is (spiked - unspiked) / added"
    )
    recovery_range: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        [0.8, 1.2], description="measured over expected titer, or recovered over added"
    )
    max_lambda_integrity: float = Field(
        0.3, gt=0, le=10, description="copies a droplet above which integrity is flagged"
    )
    lysis: Lysis = Field("unknown", description="where capsids are opened; genome integrity needs to know it")
    genome_form: Literal["ss", "sc"] = Field(
        "ss", description="kept with the result, without effect on a number: see strand_factor"
    )
    roles: dict[str, Role] = Field({}, description="by sample id or well")
