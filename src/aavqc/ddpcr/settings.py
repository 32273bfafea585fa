"""Settings of droplet digital PCR."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aavqc.documents import Role
from aavqc.settings import Settings

IntervalMethod = Literal["wilson", "clopper_pearson", "vendor", "vendor_total"]


class TechniqueSettings(Settings):
    """What an analysis of a droplet digital PCR plate can be told."""

    calls: Literal["vendor", "own", "auto"] = Field("auto", description="whose positives are used")
    interval: IntervalMethod = Field(
        "wilson", description="of counts; vendor: Bio-Rad's; vendor_total: also between merged wells"
    )
    partition_volume_nl: float | None = Field(
        None, ge=1e-3, le=1e3, description="instead of the software's value"
    )
    strand_factor: float = Field(1.0, ge=0.01, le=100, description="genomes a counted molecule")
    targets_per_genome: dict[str, Annotated[float, Field(ge=0.01, le=100)]] = Field(
        {}, description="by target; 1 where not given"
    )
    lysis: Literal["in_droplet", "pre_lysis", "unknown"] = Field(
        "unknown",
        description="where capsids are opened; kept with the result, without effect on a number yet",
    )
    genome_form: Literal["ss", "sc"] = Field(
        "ss", description="kept with the result, without effect on a number yet: see strand_factor"
    )
    roles: dict[str, Role] = Field({}, description="by sample id or well")
