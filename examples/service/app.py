"""An HTTP service around ``aavqc.analyze``: an export comes up, its result document goes down.

``AAVQC_SERVICE_TOKEN=… uvicorn --app-dir examples/service app:app``. One process serves; the fits run in
processes beside it. A request beyond those that have a place waits before its body is read.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from analysts import Analysts
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from uploads import Limits, Refused, receive

from aavqc import AavqcError, __version__
from aavqc.documents import ErrorDocument, ResultDocument
from aavqc.errors import error_document
from aavqc.methods import builtin

LOG = logging.getLogger("aavqc.service")
SETTING = "AAVQC_SERVICE_"
bearer = HTTPBearer(auto_error=False)


def limits_of(environment: Mapping[str, str]) -> Limits:
    """Return the limits; ``AAVQC_SERVICE_BODY_BYTES`` and so on overrule the defaults."""
    stated = {f.name: environment.get(SETTING + f.name.upper()) for f in fields(Limits)}
    defaults = Limits()
    return Limits(**{k: type(getattr(defaults, k))(v) for k, v in stated.items() if v is not None})


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start and end the processes; nothing is served without a token or another way to know callers."""
    if not os.environ.get(f"{SETTING}TOKEN") and authenticated not in app.dependency_overrides:
        raise RuntimeError(f"set {SETTING}TOKEN, or override the dependency `authenticated`")
    workers = int(os.environ.get(f"{SETTING}WORKERS") or os.cpu_count() or 1)
    app.state.limits = limits_of(os.environ)
    app.state.analysts = Analysts(workers, app.state.limits)
    app.state.places = asyncio.Semaphore(2 * workers)  # while some are analyzed others come up
    yield
    app.state.analysts.close()


app = FastAPI(title="aavqc", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)


def authenticated(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> str:
    """Return who calls: an integrator's own replaces this (``app.dependency_overrides``)."""
    token = os.environ.get(f"{SETTING}TOKEN", "")
    given = credentials.credentials if credentials else ""
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        raise Refused("no valid token", 401, expected="Authorization: Bearer …")
    return "bearer of the token"


@app.get("/health")
async def health() -> dict[str, str]:
    """Tell that the service is there."""
    return {"aavqc": __version__}


FORM = {
    "type": "object",
    "required": ["files"],
    "additionalProperties": False,
    "properties": {
        "files": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "format": "binary"},
            "description": "the files of one export, or a zip of them",
        },
        "method": {"type": "string", "enum": builtin(), "description": "default: that of the technique"},
        "set": {
            "type": "array",
            "maxItems": 49,
            "items": {"type": "string", "pattern": "^[A-Za-z0-9_.]+=.*$"},
            "description": "settings, key=value",
        },
    },
}
WHY: dict[int, str] = {
    400: "no valid form",
    401: "no valid token",
    408: "the upload takes too long",
    413: "the upload is too large",
    415: "another kind of body",
    422: "the files or settings can't be used; says which, and why",
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": ResultDocument},
    **{status: {"model": ErrorDocument, "description": text} for status, text in WHY.items()},
}


@app.post(
    "/analyses",
    response_model=None,
    responses=ANSWERS,
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}},
)
async def analyze(request: Request, actor: Annotated[str, Depends(authenticated)]) -> Response:
    """Analyze the files of one export; the result document holds every number with its interval."""
    state = request.app.state
    async with state.places:
        with TemporaryDirectory(prefix="aavqc-service-") as folder:
            upload = await receive(request, Path(folder), state.limits)
            body = await state.analysts.analyze(upload, actor)
    return Response(body, media_type="application/json")


@app.exception_handler(AavqcError)
async def refuse(request: Request, error: AavqcError) -> Response:
    """Answer 4xx with the library's own error document."""
    status = error.status if isinstance(error, Refused) else 422
    if status in (408, 413):
        await _drained(request)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse(
        error.document(), status, headers | ({"Connection": "close"} if status == 408 else {})
    )


@app.exception_handler(HTTPException)
async def refuse_request(request: Request, error: HTTPException) -> Response:
    """Answer what the framework refuses, such as a form that is none, in the same shape."""
    document = Refused(str(error.detail)).document()
    return JSONResponse(document, error.status_code, error.headers)


@app.exception_handler(FormParserError)
async def refuse_form(request: Request, error: Exception) -> Response:
    """Answer a form that is none where the framework does not."""
    return JSONResponse(Refused("no valid form").document(), 400)


@app.exception_handler(ClientDisconnect)
async def gone(request: Request, error: ClientDisconnect) -> Response:
    """Nobody is there to be answered."""
    return Response(status_code=400)


@app.exception_handler(Exception)
async def bug(request: Request, error: Exception) -> Response:
    """Say that it is a bug, and nothing of what is inside; the traceback is in the log."""
    return JSONResponse(error_document(70, "Bug", "a bug in the service or in aavqc"), 500)


async def _drained(request: Request) -> None:
    """Take what a client still sends, for a moment: one that is cut off while it sends hears no answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(2):
            while (await request.receive()).get("more_body"):
                pass
