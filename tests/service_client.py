"""A server of examples/service on a free port of its own, and a client that can be rude."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "a token of the tests"
BOUNDARY = "----of-a-form"
FORM = f"multipart/form-data; boundary={BOUNDARY}"

PATIENCE_S = 120
"""Seconds that a server may take to start or to end, beside other work."""


class Service:
    """A running server: its process and where it listens."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.pid = process.pid
        self.port = port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)

    def post(
        self, body: Any, *, kind: str = FORM, token: str | None = TOKEN, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Send a body to /analyses; return the status and the document."""
        connection = self.connect()
        known = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request(
            "POST", "/analyses", body, known | headers, encode_chunked=not isinstance(body, bytes)
        )
        response = connection.getresponse()
        answer = response.status, json.loads(response.read())
        connection.close()
        return answer

    @property
    def workers(self) -> list[int]:
        """The processes that analyze, those that are starting too."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    @property
    def peak_bytes(self) -> int:
        """The most memory that the server's own process has had so far."""
        return self.peak_of(self.pid)

    def peak_of(self, pid: int) -> int:
        """The most memory that a process has had so far."""
        status = Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


@contextmanager
def service(**limits: Any) -> Iterator[Service]:
    """Yield a server with two workers; what it says is shown where it does not come up."""
    said = tempfile.TemporaryFile()  # noqa: SIM115
    settings = {f"AAVQC_SERVICE_{name.upper()}": str(value) for name, value in limits.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--app-dir", "examples/service", "app:app", "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"AAVQC_SERVICE_TOKEN": TOKEN, "AAVQC_SERVICE_WORKERS": "2"} | settings,
        stdout=said,
        stderr=said,
    )
    try:
        yield Service(process, _port(process, said))
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        said.close()


def _port(process: subprocess.Popen[bytes], said: Any) -> int:
    text = ""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        ended = process.poll() is not None  # asked before what it says is read: so nothing is missed
        said.seek(0)
        text = said.read().decode()
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", text)
        if found:
            return int(found[1])
        if ended:
            break
        time.sleep(0.1)
    raise RuntimeError(f"the service did not come up: {text}")


def form(files: dict[str, bytes], **fields: str) -> bytes:
    """Return the body of a form; names go as they are."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in files.items()
    ]
    parts += [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def begun(name: str) -> bytes:
    """A form whose one file has begun."""
    return form({name: b""}).removesuffix(f"\r\n--{BOUNDARY}--\r\n".encode())


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()
