"""The example service over a real socket: numbers of the library, hostile uploads, a peak of clients."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import aavqc
from service_client import FORM, TOKEN, Service, begun, form, service, zipped

pytest.importorskip("fastapi", reason="the example service needs the extra 'service'")

SCHEMAS = Path(aavqc.__file__).parent / "schemas"
BODY_BYTES = 4_000_000
PLATE = "EX24-001.csv"


@pytest.fixture(scope="module")
def served() -> Iterator[Service]:
    with service(body_bytes=BODY_BYTES, files=20) as running:
        yield running


@pytest.fixture(scope="module")
def impatient() -> Iterator[Service]:
    with service(workers=1, upload_seconds=2, analysis_seconds=0.2) as running:
        yield running


@pytest.fixture(scope="module")
def plate(example_lot: Path) -> bytes:
    return (example_lot / "ddpcr" / PLATE).read_bytes()


def check(document: dict[str, Any], name: str) -> None:
    jsonschema.validate(document, json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")))


@pytest.mark.req("LIMS-SERVICE-1")
def test_service_answers_with_the_numbers_of_the_library(served: Service, example_lot: Path) -> None:
    files = {p.name: p.read_bytes() for p in sorted((example_lot / "ddpcr").glob("*.csv"))}
    status, document = served.post(form(files, set="dilution_factor=2.5e7"))
    assert status == 200
    check(document, "result")
    assert document["envelope"]["actor"] == "bearer of the token"
    expected = aavqc.analyze(example_lot / "ddpcr", dilution_factor=2.5e7)
    assert document["payload"] == json.loads(aavqc.documents.canonical(expected.payload))
    assert [i["name"] for i in document["payload"]["inputs"]] == sorted(files)


def test_service_takes_a_zip_and_leaves_it_folded(served: Service, example_lot: Path, tmp_path: Path) -> None:
    lot = example_lot / "cdms"
    (tmp_path / "run.zip").write_bytes(zipped({"day 1/run1.csv": (lot / "run1.csv").read_bytes()}))
    status, document = served.post(
        form({"run.zip": (tmp_path / "run.zip").read_bytes()}, method="aav-cdms", set="design_length=4700")
    )
    expected = aavqc.analyze(tmp_path / "run.zip", method="aav-cdms", design_length=4700)
    assert status == 200
    assert document["payload"] == json.loads(aavqc.documents.canonical(expected.payload))


@pytest.mark.parametrize("token", [None, "", "another token", "ä"])
def test_service_refuses_a_stranger_before_the_body(served: Service, token: str | None) -> None:
    connection = served.connect()
    connection.putrequest("POST", "/analyses")
    if token is not None:
        connection.putheader("Authorization", f"Bearer {token}".encode())
    connection.putheader("Content-Type", FORM)
    connection.putheader("Content-Length", "1000")  # none of which is sent
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 401
    check(json.loads(response.read()), "error")
    connection.close()


def encrypted_zip() -> bytes:
    data = bytearray(zipped({PLATE: b"x"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


ZERO = bytes(3_000_000)
HOSTILE: dict[str, tuple[int, str, bytes]] = {
    "up": (422, "unsafe name", form({"../../tmp/x.csv": b"a"})),
    "absolute": (422, "unsafe name", form({"/etc/cron.d/x": b"a"})),
    "backslash": (422, "unsafe name", form({"..\\\\x.csv": b"a"})),
    "drive": (422, "unsafe name", form({"C:x.csv": b"a"})),
    "no name": (422, "unsafe name", form({"": b"a"})),
    "control": (422, "unsafe name", form({"x\x1b[2J.csv": b"a"})),
    "long name": (422, "unsafe name", form({"x" * 300 + ".csv": b"a"})),
    "deep": (422, "unsafe name", form({"a/" * 30 + "x.csv": b"a"})),
    "file as folder": (422, "same name", form({"a": b"a", "a/b": b"b"})),
    "zip that leads out": (422, "unsafe name", form({"x.zip": zipped({"../../x.csv": b"a"})})),
    "zip that unfolds": (422, "unfolds", form({"x.zip": zipped({f"{i}.csv": ZERO * 4 for i in range(9)})})),
    "zip of many": (422, "too many files", form({"x.zip": zipped({f"{i}.csv": b"" for i in range(30)})})),
    "zip encrypted": (422, "encrypted", form({"x.zip": encrypted_zip()})),
    "zip cut": (422, "no readable zip", form({"x.zip": zipped({"a.csv": b"a"})[:40]})),
    "many files": (400, "Too many files", form({f"{i}.csv": b"a" for i in range(30)})),
    "nothing": (422, "no usable form", form({})),
    "no files": (422, "no usable form", form({}, method="aav-sv")),
    "another part": (422, "not known", form({"x.csv": b"a"}, colour="red")),
    "path as method": (422, "no method", form({"x.csv": b"a"}, method="/etc/passwd")),
    "file as setting": (422, "no usable setting", form({"x.csv": b"a"}, set="calibration.file=/etc/passwd")),
    "no setting": (422, "unknown setting", form({})),
    "argument as setting": (422, "unknown setting", form({})),
    "large field": (400, "", form({"x.csv": b"a"}, set="a=" + "b" * 100_000)),
    "endless header": (400, "", b"------of-a-form\r\nContent-Disposition: " + b"x" * 2_000_000),
    "torn": (422, "no usable form", begun("x.csv") + b"\r\n--"),
    "noise": (400, "", bytes(range(256)) * 100),
    "too large": (413, "too large", form({"x.csv": ZERO + ZERO})),
    "no export": (422, "", form({"x.csv": b"\x00\xff" * 500})),
    "two techniques": (422, "several techniques", form({})),
}


@pytest.mark.req("LIMS-SERVICE-2")
@pytest.mark.parametrize("name", HOSTILE)
def test_service_answers_hostile_uploads_with_4xx_and_a_message(
    served: Service, name: str, example_lot: Path, plate: bytes
) -> None:
    expected, message, body = HOSTILE[name]
    if name == "two techniques":
        body = form({PLATE: plate, "run1.csv": (example_lot / "cdms" / "run1.csv").read_bytes()})
    if "unknown setting" in message:
        body = form({PLATE: plate}, set="samples=/etc/passwd" if "argument" in name else "no.such=1")
    status, document = served.post(body)
    assert status == expected, document
    check(document, "error")
    assert message in document["error"]["message"]
    assert "/tmp" not in json.dumps(document).replace("../../tmp", "")


def test_service_refuses_what_it_was_not_told_is_too_large(served: Service) -> None:
    status, document = served.post(iter([begun("x.csv"), *[b"x" * 100_000] * 60]))  # no length beforehand
    assert (status, document["error"]["message"]) == (413, "the upload is too large")


def test_service_refuses_another_kind_of_body(served: Service, plate: bytes) -> None:
    for kind in ("text/csv", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", ""):
        assert served.post(plate, kind=kind)[0] == 415
    assert served.post(plate, kind="multipart/form-data")[0] == 400  # without its boundary


def test_service_does_not_wait_for_a_client_that_drips(impatient: Service) -> None:
    def drip() -> Iterator[bytes]:
        yield begun("x.csv")
        for _ in range(40):
            yield b"x"
            time.sleep(0.1)

    status, document = impatient.post(drip())
    assert (status, document["error"]["message"]) == (408, "the upload takes too long")


@pytest.mark.req("LIMS-SERVICE-3")
def test_service_serves_a_peak_of_fifty_uploads(served: Service, plate: bytes) -> None:
    body = form({PLATE: plate, "notes.pdf": b"%PDF-1.4" + bytes(3_500_000)})
    assert served.post(form({PLATE: plate}))[0] == 200  # the processes are there
    before = served.peak_bytes
    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(lambda _: served.post(body), range(50)))
    assert [status for status, _ in answers] == [200] * 50
    assert len({json.dumps(document["payload"]) for _, document in answers}) == 1
    assert served.peak_bytes - before < 60_000_000  # of 175 MB that were sent at once


def test_service_outlives_an_analysis_that_does_not_end(impatient: Service, plate: bytes) -> None:
    for _ in range(2):
        status, document = impatient.post(form({PLATE: plate}))
        assert (status, document["error"]["message"]) == (422, "the analysis takes too long")


def test_service_outlives_the_death_of_an_analysis(example_lot: Path, plate: bytes) -> None:
    scans = {p.name: p.read_bytes() for p in (example_lot / "auc").glob("*.RA1")}
    with service(workers=1) as running, ThreadPoolExecutor(1) as client:
        answer = client.submit(running.post, form({"run.zip": zipped(scans)}))
        while not (workers := running.workers):
            time.sleep(0.05)
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        status, document = answer.result()
        assert (status, document["error"]["message"]) == (422, "the process that analyzed it died")
        assert running.post(form({PLATE: plate}))[0] == 200
        (last,) = running.workers
    for _ in range(600):  # the server has ended, and its processes end with it
        if not Path(f"/proc/{last}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{last}").exists()


@pytest.mark.req("LIMS-SERVICE-4")
def test_service_is_what_its_openapi_document_says(served: Service, peers: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            peers / "schemathesis", "run", f"http://127.0.0.1:{served.port}/openapi.json",
            "--header", f"Authorization: Bearer {TOKEN}", "--max-examples", "10", "--seed", "1",
            "--phases", "coverage,fuzzing", "--no-color",
            "--exclude-checks", "positive_data_acceptance",  # any bytes are a form; few are an export
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert "Tested: 2\n" in done.stdout


def test_service_does_not_start_without_a_token() -> None:
    with pytest.raises(RuntimeError, match="AAVQC_SERVICE_TOKEN"), service(token=""):
        pass
