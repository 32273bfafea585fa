"""``sign``: a person's name, a meaning and a time, bound to what a batch has found."""

from __future__ import annotations

from typing import Annotated

import typer

from aavqc.cli.output import LogJson, command, data_channel, talk
from aavqc.errors import EXIT_OK


@command
def sign(
    out: Annotated[str, typer.Argument(help="Output folder of a batch.")],
    key: Annotated[str, typer.Option("--key", help="Ed25519 private key, PEM without a password.")],
    name: Annotated[str, typer.Option("--name", help="Of the signer, as printed.")],
    meaning: Annotated[str, typer.Option("--meaning", help="Such as review, approval, responsibility.")],
    stamp: Annotated[
        str | None,
        typer.Option("--stamp", help="Command that brings an RFC 3161 request to an authority."),
    ] = None,
    store: Annotated[str | None, typer.Option("--store", help="URL, where the batch was given one.")] = None,
    log_json: LogJson = False,
) -> int:
    """Sign a batch's output folder; nobody is authenticated by that."""
    with data_channel() as channel:
        from aavqc.batch.signatures import sign as write
        from aavqc.signing.ed25519 import Ed25519Signer
        from aavqc.signing.timestamps import CommandTimeStamper

        stamper = None if stamp is None else CommandTimeStamper(stamp)
        path = write(out, Ed25519Signer.load(key), name=name, meaning=meaning, stamper=stamper, store=store)
        channel.write(f"{path}\n")
    talk(f"signed: {name}, {meaning}")
    return EXIT_OK
