"""What a client sends, made safe: so many bytes, in so much time, under names that lead nowhere."""

from __future__ import annotations

import asyncio
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from aavqc.analysis import settings_class
from aavqc.attributes import Technique
from aavqc.errors import AavqcError, InputError, UsageError

OF_FILES = frozenset(name for t in get_args(Technique) for name in settings_class(t).documents)
"""Settings that name a file."""


@dataclass(frozen=True)
class Limits:
    """What one upload may take; ``analysis_memory`` and ``analysis_seconds`` are those of its process."""

    body_bytes: int = 200_000_000
    files: int = 1000
    unfolded_bytes: int = 1_000_000_000
    fold: int = 200
    upload_seconds: float = 120.0
    analysis_seconds: float = 300.0
    analysis_memory: int = 4_000_000_000


class Refused(AavqcError):
    """The request is not served, whatever its files hold; ``status`` is the HTTP status."""

    exit_code = UsageError.exit_code

    def __init__(self, message: str, status: int = 422, **details: Any) -> None:
        super().__init__(message, **details)
        self.status = status


@dataclass(frozen=True)
class Upload:
    """Where the files lie (``path`` in ``folder``), and what else the form said."""

    folder: Path
    path: Path
    method: str | None
    settings: dict[str, str]


async def receive(request: Request, folder: Path, limits: Limits) -> Upload:
    """Read a multipart form and write its files into a folder.

    Raises
    ------
    Refused
        More bytes or time than the limits allow; no form of the kind that is documented.
    InputError
        A file's name is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Refused("another kind of body", 415, expected="multipart/form-data", found=repr(kind[:40]))
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise too_large(limits)
    bounded = _bounded(request, limits)
    async with bounded.form(max_files=limits.files, max_fields=50, max_part_size=10_000) as form:
        files, fields = _sorted_out(form)
        for name, file in files.items():
            await run_in_threadpool(_write, file, folder / name)
    return Upload(
        folder=folder,
        path=folder / next(iter(files)) if len(files) == 1 else folder,
        method="".join(fields["method"]) or None,
        settings=_settings(fields["set"]),
    )


def too_large(limits: Limits) -> Refused:
    """Return the refusal of a body that is too large."""
    return Refused("the upload is too large", 413, expected=f"at most {limits.body_bytes} bytes")


def _bounded(request: Request, limits: Limits) -> Request:
    """Return the request with a body that ends in a refusal when it is too long, or too slow."""
    clock = asyncio.get_running_loop()
    until = clock.time() + limits.upload_seconds
    taken = 0

    async def bounded() -> Any:
        nonlocal taken
        try:
            message = await asyncio.wait_for(request.receive(), until - clock.time())
        except TimeoutError:
            raise Refused(
                "the upload takes too long", 408, expected=f"all of it in {limits.upload_seconds:g} s"
            ) from None
        taken += len(message.get("body", b""))
        if taken > limits.body_bytes:
            raise too_large(limits)
        return message

    return Request(request.scope, bounded)


def _sorted_out(form: FormData) -> tuple[dict[str, UploadFile], dict[str, list[str]]]:
    """Tell files from fields; what is neither documented nor once is refused."""
    files: dict[str, UploadFile] = {}
    fields: dict[str, list[str]] = {"method": [], "set": []}
    for key, value in form.multi_items():
        if isinstance(value, UploadFile) and key == "files":
            name = safe_name(value.filename or "")
            if name in files:
                raise InputError("sent twice", file=name)
            files[name] = value
        elif isinstance(value, str) and key in fields:
            fields[key].append(value)
        else:
            raise Refused("a part of the form that is not known", found=repr(key[:40]))
    if not files or len(fields["method"]) > 1:
        raise Refused("no usable form", expected="files, at most one method")
    return files, fields


def _settings(pairs: list[str]) -> dict[str, str]:
    """Read ``key=value`` fields; a setting that names a file would be one of this computer."""
    settings = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip() or key.strip() in OF_FILES:
            raise Refused("no usable setting", expected="key=value, naming no file", found=repr(pair[:80]))
        settings[key.strip()] = value
    return settings


def safe_name(name: str) -> str:
    """Return a file's name if it leads nowhere but below the folder that it is put into.

    Examples
    --------
    >>> safe_name("260/00001.RA1")
    '260/00001.RA1'
    """
    parts = name.split("/")
    usable = all(part not in ("", ".", "..") and len(part.encode(errors="replace")) <= 200 for part in parts)
    if not usable or len(parts) > 8 or "\\" in name or ":" in name or not name.isprintable():
        raise InputError("unsafe name of a file", expected="such as run1/00001.RA1", found=repr(name[:80]))
    return name


def check_zip(path: Path, limits: Limits) -> None:
    """Refuse an archive whose list of members promises more than the limits, or leads elsewhere.

    The list is a claim: what reads the members bounds what they really unfold to.
    """
    with open(path, "rb") as stream:
        if stream.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InputError("no readable zip", file=path.name, found=str(error)[:80]) from error
    if len(members) > limits.files:
        raise InputError(
            "too many files", file=path.name, expected=f"at most {limits.files}", found=str(len(members))
        )
    unfolded = sum(member.file_size for member in members)
    most = min(limits.unfolded_bytes, limits.fold * max(path.stat().st_size, 100_000))
    if unfolded > most:
        raise InputError(
            "unfolds to too much", file=path.name, expected=f"at most {most} bytes", found=str(unfolded)
        )
    for member in members:
        safe_name(member.filename.rstrip("/"))
        if member.flag_bits & 1:
            raise InputError("is encrypted", file=f"{path.name}!/{member.filename}")


def _write(file: UploadFile, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as target:
            shutil.copyfileobj(file.file, target, 1 << 20)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InputError("a file and a folder of the same name", file=path.name) from None
