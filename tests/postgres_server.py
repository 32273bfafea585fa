"""A PostgreSQL server for tests: data of its own, a free loopback port, never run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

PASSWORD = "secret-of-the-tests"
DEBIAN = Path("/usr/lib/postgresql")
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True)
class Server:
    """A server that runs; ``process`` is its postmaster."""

    port: int
    process: subprocess.Popen[bytes]
    _number: Iterator[int] = field(default_factory=count)

    def url(self, database: str = "postgres", user: str = "postgres", password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def database(self) -> str:
        """Make an empty database that sorts text as people do, not by bytes; return its URL."""
        name = f"test{next(self._number)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
        return self.url(name)


def binaries() -> Path | None:
    """Where the server's programs are: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    if found and shutil.which("postgres"):
        return Path(found).parent
    return max((p.parent for p in DEBIAN.glob("*/bin/initdb")), default=None)


@contextmanager
def server(programs: Path) -> Iterator[Server]:
    """Start a server in a new folder; it is stopped, and the folder removed, at the end."""
    folder = Path(tempfile.mkdtemp(prefix="aavqc-postgres-"))
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    try:
        (folder / "password").write_text(PASSWORD)
        if user is not None:
            owner = pwd.getpwnam(user)
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        made = [programs / "initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
        made += ["--username=postgres", f"--pwfile={folder / 'password'}", folder / "data"]
        subprocess.run(made, user=user, cwd=folder, check=True, capture_output=True)
        running = _started(programs, folder, user)
        try:
            yield running
        finally:
            running.process.send_signal(signal.SIGINT)  # without waiting for clients to leave
            running.process.wait(120)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(programs: Path, folder: Path, user: str | None) -> Server:
    import psycopg

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}"]
    command = [programs / "postgres", "-D", folder / "data"]
    command += [word for option in (*options, *NOT_DURABLE) for word in ("-c", option)]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
    running = Server(port, process)
    for _ in range(1200):
        try:
            psycopg.connect(running.url()).close()
        except psycopg.OperationalError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return running
    process.kill()
    raise RuntimeError((folder / "log").read_text())
