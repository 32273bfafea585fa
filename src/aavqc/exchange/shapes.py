"""Models of documents in the shape of the Allotrope Simple Model (ASM): names with blanks, as it has them.

The dPCR document follows ``pcr/BENCHLING/2023/09/dpcr``. For AUC and CDMS there is no Allotrope
schema: theirs is this library's own, in the same shape, under a manifest that says so.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from aavqc.attributes import Technique
from aavqc.documents import Document


class _Shaped(Document):
    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", " "), populate_by_name=True)


class Quantity(_Shaped):
    """A number with its unit."""

    value: float
    unit: str


class DeviceSystem(_Shaped):
    """The instrument: exports seldom name it."""

    device_identifier: str = "not stated"


class DataSystem(_Shaped):
    """Where the document comes from."""

    data_system_instance_identifier: str = Field(description="job of the result")
    file_name: str
    software_name: str
    software_version: str
    converter_name: str = Field(alias="ASM converter name")
    converter_version: str = Field(alias="ASM converter version")


class SampleShape(_Shaped):
    """Which sample, where."""

    sample_identifier: str
    batch_identifier: str | None = None
    sample_role_type: str | None = None
    well_location_identifier: str | None = None


class DeviceControl(_Shaped):
    """How it was measured."""

    device_type: str
    measurement_method_identifier: str
    reporter_dye_setting: str | None = None


class DeviceControls(_Shaped):
    """All device controls of a measurement."""

    device_control_document: list[DeviceControl]


class Processing(_Shaped):
    """What parted positive from negative."""

    threshold: Quantity = Field(alias="fluorescence intensity threshold setting")


class ProcessedData(_Shaped):
    """Counts of one target in one well."""

    number_concentration: Quantity
    positive_partition_count: Quantity
    negative_partition_count: Quantity
    data_processing_document: Processing | None = None


class ProcessedDataAll(_Shaped):
    """All processed data of a measurement."""

    processed_data_document: list[ProcessedData]


class Measurement(_Shaped):
    """A sample as measured by AUC or CDMS."""

    measurement_identifier: str
    measurement_time: str
    sample_document: SampleShape
    device_control_aggregate_document: DeviceControls


class WellMeasurement(Measurement):
    """One target in one well."""

    target: str = Field(alias="target DNA description")
    total_partition_count: Quantity
    processed_data_aggregate_document: ProcessedDataAll


class ErrorShape(_Shaped):
    """What could not be said."""

    error: str
    error_feature: str


class Errors(_Shaped):
    """All of them."""

    error_document: list[ErrorShape]


class WellMeasurements(_Shaped):
    """All measurements of a plate."""

    analytical_method_identifier: str
    plate_well_count: Quantity
    measurement_document: list[WellMeasurement] = Field(min_length=1)
    error_aggregate_document: Errors | None = None


class Measurements(_Shaped):
    """All measurements of a result."""

    analytical_method_identifier: str
    measurement_document: list[Measurement]


class DataSource(_Shaped):
    """A measurement that a calculated value rests on."""

    data_source_identifier: str
    data_source_feature: str


class DataSources(_Shaped):
    """All of them."""

    data_source_document: list[DataSource]


class CalculatedDatum(_Shaped):
    """A quality attribute, or a bound of its interval."""

    calculated_data_identifier: str
    calculated_data_name: str
    calculated_data_description: str
    calculated_datum: Quantity
    data_source_aggregate_document: DataSources


class CalculatedData(_Shaped):
    """All calculated values."""

    calculated_data_document: list[CalculatedDatum]


class PlateDocument(_Shaped):
    """The measurements of a plate."""

    measurement_aggregate_document: WellMeasurements


class PlateAggregate(_Shaped):
    """A plate: instrument, origin, measurements, calculated values."""

    device_system_document: DeviceSystem
    data_system_document: DataSystem
    documents: list[PlateDocument] = Field(alias="dPCR document")
    calculated_data_aggregate_document: CalculatedData


class DpcrDocument(_Shaped):
    """Digital PCR in the Allotrope Simple Model."""

    manifest: Literal["http://purl.allotrope.org/manifests/pcr/BENCHLING/2023/09/dpcr.manifest"] = Field(
        "http://purl.allotrope.org/manifests/pcr/BENCHLING/2023/09/dpcr.manifest", alias="$asm.manifest"
    )
    aggregate: PlateAggregate = Field(alias="dPCR aggregate document")


class ResultAggregate(_Shaped):
    """A result: instrument, origin, measurements, calculated values."""

    device_system_document: DeviceSystem
    data_system_document: DataSystem
    measurement_aggregate_document: Measurements
    calculated_data_aggregate_document: CalculatedData


class ShapedDocument(_Shaped):
    """A result in the shape of the Allotrope Simple Model; not an Allotrope schema (``aavqc.asm-shaped/1``).

    Of AUC and CDMS; of a plate where no well has counts, for which the model has no room.
    """

    manifest: Literal["aavqc.asm-shaped/1"] = Field("aavqc.asm-shaped/1", alias="$asm.manifest")
    label: Literal["Not an Allotrope schema: there is none for such data."] = (
        "Not an Allotrope schema: there is none for such data."
    )
    technique: Technique
    aggregate: ResultAggregate = Field(alias="aggregate document")
