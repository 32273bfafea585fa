"""A worker on a database: worker.py postgresql://USER@HOST/DATABASE.

As many as you like, on every machine that sees the folders. A job is a folder of exports; each
worker takes one at a time, analyzes it into an output folder and the store, and says what came of
it. A worker that dies loses its lease, and another takes the job over where it was.
"""

import argparse
import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager

import psycopg

from aavqc import batch
from aavqc.logs import JsonLines, fields

log = logging.getLogger("worker")

DEATHS = 3  # a job that took so many workers with it is poison: a person must look
ATTEMPTS = 5  # a job that failed so often stays failed
BACK_OFF_S = 10  # before the second attempt; twice that before the third, and so on

TABLE = """
CREATE TABLE IF NOT EXISTS lims_jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    folder text NOT NULL,
    out text NOT NULL UNIQUE,
    status text NOT NULL DEFAULT 'waiting', -- running, done, failed, poison
    attempt integer NOT NULL DEFAULT 0,
    deaths integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT now(),
    lease timestamptz, -- a running job whose lease is over has lost its worker
    worker text,
    exit_code integer,
    error text
)"""

CLAIM = """
UPDATE lims_jobs SET
    deaths = deaths + (status = 'running')::int,
    status = CASE WHEN status = 'running' AND deaths + 1 >= %(deaths)s THEN 'poison' ELSE 'running' END,
    attempt = attempt + 1,
    worker = %(worker)s,
    lease = now() + %(lease)s * interval '1 second'
WHERE id = (
    SELECT id FROM lims_jobs
    WHERE (status = 'waiting' AND not_before <= now()) OR (status = 'running' AND lease < now())
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, folder, out, attempt, status"""

# Who lost the job to another has another attempt's number, and changes nothing.
MINE = "WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running'"

BEAT = f"UPDATE lims_jobs SET lease = now() + %(lease)s * interval '1 second' {MINE}"

END = f"""
UPDATE lims_jobs SET status = %(status)s, exit_code = %(exit)s, error = %(error)s, lease = NULL,
    not_before = now() + %(wait)s * interval '1 second' {MINE}"""

LEFT = "SELECT count(*) FROM lims_jobs WHERE status IN ('waiting', 'running')"


def create(url):
    """Make the table of jobs, where there is none."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('lims_jobs'))")  # workers start together
        connection.execute(TABLE)


def enqueue(url, folder, out):
    """Add a job; the same output folder twice is one job."""
    with psycopg.connect(url) as connection:
        statement = "INSERT INTO lims_jobs (folder, out) VALUES (%s, %s) ON CONFLICT DO NOTHING"
        connection.execute(statement, (str(folder), str(out)))


def claim(url, worker, lease):
    """Take the next job, or one whose worker died; None where there is nothing to do now."""
    with psycopg.connect(url) as connection:
        row = connection.execute(CLAIM, {"deaths": DEATHS, "worker": worker, "lease": lease}).fetchone()
    if row is None:
        return None
    job = dict(zip(("id", "folder", "out", "attempt", "status"), row))
    if job["status"] == "poison":
        log.error("job %s has killed %s workers", job["id"], DEATHS, extra=fields(job=job["id"]))
    return job


@contextmanager
def heartbeat(url, job, lease):
    """Prolong the lease while the work goes on."""
    over = threading.Event()

    def beat():
        while not over.wait(lease / 4):
            try:
                with psycopg.connect(url) as connection:
                    connection.execute(BEAT, {**job, "lease": lease})
            except psycopg.OperationalError as error:  # the next one may come through
                log.warning("no heartbeat: %s", error)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def work(url, job, worker):
    """Analyze and judge; return how the job ends."""
    try:
        report = batch.run(job["folder"], job["out"], store=url, actor=worker, reason=f"job {job['id']}")
    except Exception as error:  # a wrong method, a store that is down, a disk that is full
        log.exception("job %s", job["id"], extra=fields(job=job["id"]))
        problems, code = [str(error)], getattr(error, "exit_code", 70)
    else:
        problems, code = [*map(str, report.errors), *report.bugs], report.exit_code
    if not problems:  # a verdict, whichever: tried again it is the same
        return {"status": "done", "exit": code, "error": None, "wait": 0}
    status = "waiting" if job["attempt"] < ATTEMPTS else "failed"
    wait = BACK_OFF_S * 2 ** (job["attempt"] - 1)
    return {"status": status, "exit": code, "error": "\n".join(problems), "wait": wait}


def main(url, lease, until_empty, pause=1.0):
    """Work until SIGTERM, which lets the job under way end."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker = f"{socket.gethostname()}:{os.getpid()}"
    while not stop.is_set():
        try:
            job = claim(url, worker, lease)
            if job is None and until_empty and not left(url):
                return
            if job is None:
                stop.wait(pause)
            elif job["status"] == "running":
                with heartbeat(url, job, lease):
                    end = work(url, job, worker)
                finish(url, job, end)
        except psycopg.OperationalError as error:  # the database is away: nothing is lost meanwhile
            log.warning("no database: %s", error)
            stop.wait(pause)


def left(url):
    """Return how many jobs wait or run."""
    with psycopg.connect(url) as connection:
        return connection.execute(LEFT).fetchone()[0]


def finish(url, job, end):
    """Say what came of a job, unless another worker has it by now."""
    with psycopg.connect(url) as connection:
        mine = connection.execute(END, {**job, **end}).rowcount
    log.info(
        "job %s: %s", job["id"], end["status"] if mine else "another has it", extra=fields(job=job["id"])
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--lease", type=float, default=60.0, help="seconds without a sign of life")
    parser.add_argument("--until-empty", action="store_true", help="end when no job waits or runs")
    options = parser.parse_args()
    lines = logging.StreamHandler()
    lines.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    create(options.url)
    main(options.url, options.lease, options.until_empty)
