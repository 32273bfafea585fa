"""Results as JSON documents in the Allotrope Simple Model, or for AUC and CDMS in its shape.

Identifiers are UUIDs of version 5 over the SHA-256 of the payload and what they identify, so that the
same result has the same identifiers for ever.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from aavqc import __version__
from aavqc.attributes import Attribute
from aavqc.documents import Payload, ResultDocument, Sample, Well
from aavqc.exchange.shapes import (
    CalculatedData,
    CalculatedDatum,
    DataSource,
    DataSources,
    DataSystem,
    DeviceControl,
    DeviceControls,
    DeviceSystem,
    DpcrDocument,
    Errors,
    ErrorShape,
    Measurement,
    Measurements,
    PlateAggregate,
    PlateDocument,
    ProcessedData,
    ProcessedDataAll,
    Processing,
    Quantity,
    ResultAggregate,
    SampleShape,
    ShapedDocument,
    WellMeasurement,
    WellMeasurements,
)
from aavqc.exchange.source import Finished, new_folder
from aavqc.textfiles import write_bytes

NOT_STATED = "1970-01-01T00:00:00+00:00"
"""Exports bear no time of measurement that a result keeps, and the model requires one."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "aavqc.exchange")

Identify = Callable[..., str]


def write_asm(source: Finished, folder: Path) -> list[Path]:
    """Write a document of each result; the file has the name of the job."""
    new_folder(folder)
    written = []
    for job, document in source.results():
        path = folder / f"{job}.json"
        shaped = asm_document(document, job)
        plain = shaped.model_dump(mode="json", by_alias=True, exclude_none=True)
        write_bytes(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
        written.append(path)
    return written


def asm_document(document: ResultDocument, job: str) -> DpcrDocument | ShapedDocument:
    """Return a result in the model, or where that has no room for it in its shape.

    Parameters
    ----------
    document : ResultDocument
    job : str
        Its identity.
    """
    payload = document.payload

    def identify(*of: object) -> str:
        return str(uuid.uuid5(_NAMESPACE, "/".join([document.envelope.payload_sha256, *map(str, of)])))

    system = DataSystem(
        data_system_instance_identifier=job,
        file_name=payload.inputs[0].name,
        software_name="aavqc",
        software_version=document.envelope.aavqc,
        converter_name="aavqc",
        converter_version=__version__,
    )
    if any(_counts(well) for well in payload.wells or []):
        return DpcrDocument(aggregate=_plate(payload, system, identify))
    return ShapedDocument(technique=payload.technique, aggregate=_shaped(payload, system, identify))


def _plate(payload: Payload, system: DataSystem, identify: Identify) -> PlateAggregate:
    wells = payload.wells or []
    samples = {sample.sample_id: sample for sample in payload.samples}
    whole = [well for well in wells if _counts(well) is not None]
    measured = [_well(well, samples.get(well.sample_id), payload, identify) for well in whole]
    unsaid = [
        ErrorShape(
            error="no counts or no concentration",
            error_feature=" ".join(filter(None, (w.well, w.channel, w.target))),
        )
        for w in wells
        if _counts(w) is None
    ]

    def sources(sample: Sample, attribute: Attribute) -> Iterator[str]:
        for well, measurement in zip(whole, measured, strict=True):
            if well.sample_id == sample.sample_id and attribute.target in (None, well.target):
                yield measurement.measurement_identifier

    return PlateAggregate(
        device_system_document=DeviceSystem(),
        data_system_document=system,
        documents=[
            PlateDocument(
                measurement_aggregate_document=WellMeasurements(
                    analytical_method_identifier=_method(payload),
                    plate_well_count=Quantity(value=len({well.well for well in wells}), unit="#"),
                    measurement_document=measured,
                    error_aggregate_document=Errors(error_document=unsaid) if unsaid else None,
                )
            )
        ],
        calculated_data_aggregate_document=_calculated(payload, sources, "number concentration", identify),
    )


def _shaped(payload: Payload, system: DataSystem, identify: Identify) -> ResultAggregate:
    measured = [
        Measurement(
            measurement_identifier=identify("measurement", sample.sample_id),
            measurement_time=NOT_STATED,
            sample_document=_sample(sample.sample_id, sample),
            device_control_aggregate_document=_control(payload, None),
        )
        for sample in payload.samples
    ]

    def sources(sample: Sample, attribute: Attribute) -> Iterator[str]:
        yield identify("measurement", sample.sample_id)

    return ResultAggregate(
        device_system_document=DeviceSystem(),
        data_system_document=system,
        measurement_aggregate_document=Measurements(
            analytical_method_identifier=_method(payload), measurement_document=measured
        ),
        calculated_data_aggregate_document=_calculated(payload, sources, "measurement", identify),
    )


def _counts(well: Well) -> tuple[int, int, int, float] | None:
    """Return accepted, positive, negative and copies/µL of a well, None where one can't be had."""
    found = (well.accepted, well.positives, well.negatives, well.copies_per_ul)
    accepted, positives, negatives, copies = found
    if accepted is None or positives is None or negatives is None or copies is None:
        return None
    return accepted, positives, negatives, copies


def _well(well: Well, sample: Sample | None, payload: Payload, identify: Identify) -> WellMeasurement:
    accepted, positives, negatives, copies = _counts(well) or (0, 0, 0, 0.0)
    threshold = None if well.threshold is None else Quantity(value=well.threshold, unit="(unitless)")
    return WellMeasurement(
        measurement_identifier=identify("measurement", well.well, well.channel or "", well.target),
        measurement_time=NOT_STATED,
        target=well.target,
        sample_document=_sample(well.sample_id, sample, well.well),
        device_control_aggregate_document=_control(payload, well.channel),
        total_partition_count=Quantity(value=accepted, unit="#"),
        processed_data_aggregate_document=ProcessedDataAll(
            processed_data_document=[
                ProcessedData(
                    number_concentration=Quantity(value=copies, unit="#/\u03bcL"),
                    positive_partition_count=Quantity(value=positives, unit="#"),
                    negative_partition_count=Quantity(value=negatives, unit="#"),
                    data_processing_document=None if threshold is None else Processing(threshold=threshold),
                )
            ]
        ),
    )


def _sample(name: str, sample: Sample | None, well: str | None = None) -> SampleShape:
    return SampleShape(
        sample_identifier=name,
        batch_identifier=sample.lot if sample else None,
        sample_role_type=sample.role if sample else None,
        well_location_identifier=well,
    )


def _method(payload: Payload) -> str:
    return f"{payload.method.name} {payload.method.version}"


def _control(payload: Payload, channel: str | None) -> DeviceControls:
    device = {"auc": "analytical ultracentrifuge", "cdms": "mass spectrometer", "ddpcr": "dPCR"}
    control = DeviceControl(
        device_type=device[payload.technique],
        measurement_method_identifier=_method(payload),
        reporter_dye_setting=channel,
    )
    return DeviceControls(device_control_document=[control])


def _calculated(
    payload: Payload,
    sources: Callable[[Sample, Attribute], Iterator[str]],
    feature: str,
    identify: Identify,
) -> CalculatedData:
    """Return attributes and the bounds of their intervals, each with the measurements under it."""
    found = []
    for sample in payload.samples:
        for a in sample.attributes:
            rests_on = [
                DataSource(data_source_identifier=of, data_source_feature=feature)
                for of in sources(sample, a)
            ]
            found += [
                CalculatedDatum(
                    calculated_data_identifier=identify("attribute", sample.sample_id, sample.record, name),
                    calculated_data_name=name,
                    calculated_data_description=f"{sample.sample_id}: {text}",
                    calculated_datum=Quantity(value=value, unit=_unit(a.unit)),
                    data_source_aggregate_document=DataSources(data_source_document=rests_on),
                )
                for name, value, text in _values(a)
            ]
    return CalculatedData(calculated_data_document=found)


def _values(a: Attribute) -> Iterator[tuple[str, float, str]]:
    """Yield name, number and description: the model has no censored values and no intervals.

    A censored value is its bound, and has the sign in its name: nobody shall take it for a value.
    """
    if a.qualifier is not None and a.bound is not None:
        yield f"{a.key} {a.qualifier}", a.bound, f"{a} (no value: a bound)"
        return
    yield a.key, a.value, str(a)
    for name, bound in (("lower", a.ci_low), ("upper", a.ci_high)):
        if bound is not None:
            yield f"{a.key} {name} bound", bound, f"{(a.coverage or 0) * 100:g} % interval, scope: {a.scope}"


def _unit(unit: str) -> str:
    return "(unitless)" if unit == "1" else unit
