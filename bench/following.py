"""The log: how fast a backlog is drained, how far a follower is behind, what it takes when idle.

For       `python -m bench drain follow idle`.
Touches   Five collections, the schema `bench`.
Promises  Lag is what a reader of the tables sees: now less the time in the newest marker there.
          The rate is that of writes the source acknowledged meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from psycopg import sql

from bench import writes
from bench.figures import Figure
from bench.plot import plot
from bench.process import landbridge, python, run
from bench.servers import DATABASE, Servers

SAMPLE_SECONDS = 0.1
SETTLE_SECONDS = 5.0  # until the follower has copied and the writer writes
PICTURE = Path("docs/pictures/lag.svg")


def _command(servers: Servers, *options: str) -> list[str]:
    return landbridge(
        *("sync", "--from", servers.source, "--to", servers.target),
        *("--select", "changing*", "--jobs", "5", "--json", *options),
    )


def _follower(servers: Servers) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _command(servers, "--follow"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a line of progress every few seconds
        text=True,
    )


def drain(servers: Servers, events: int) -> list[Figure]:
    """Apply a backlog of that many events."""
    servers.forget()
    ranges = writes.fill(servers.database)
    run(_command(servers, "--method", "log"))
    writes.backlog(ranges, events)
    servers.connection.execute("CHECKPOINT")
    finished = run(_command(servers, "--method", "log"))
    applied = sum(stream["events"] for stream in json.loads(finished.output)["streams"])
    case = f"{applied:,} events, 5 collections"
    return [
        Figure("drain", case, "rate", applied / finished.seconds, "events/s", ">= 25,000"),
        Figure("drain", case, "client CPU", finished.cpu_seconds, "s"),
        Figure("drain", case, "peak memory", finished.peak_mb, "MB", "< 300 MB"),
        *_difference(servers),
    ]


@dataclass(slots=True)
class _Watched:
    """What was seen of a follower: seconds since the begin, lag, memory."""

    times: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


def follow(servers: Servers, rate: int, seconds: int, picture: bool) -> list[Figure]:
    """Follow a source that is written to at that rate."""
    servers.forget()
    writes.fill(servers.database)
    follower = _follower(servers)
    try:
        time.sleep(SETTLE_SECONDS)
        writer = subprocess.Popen(
            python("-m", "bench.writes", servers.source, str(rate), str(seconds)),
            stdout=subprocess.PIPE,
            text=True,
        )
        watched = _watch(servers, follower.pid, writer)
        written = json.loads(writer.communicate()[0])
        time.sleep(SETTLE_SECONDS)
    finally:
        follower.send_signal(signal.SIGTERM)
        follower.communicate()
    cuts = quantiles(watched.lags, n=100)
    reached = written["writes"] / written["seconds"]
    if picture:
        PICTURE.write_text(
            plot(
                watched.times,
                watched.lags,
                f"Lag in seconds at {reached:,.0f} writes/s over 5 collections",
            )
        )
    case = f"{reached:,.0f} writes/s for {seconds} s"
    third = max(1, len(watched.megabytes) // 3)
    grown = max(watched.megabytes[-third:]) - max(watched.megabytes[:third])
    return [
        Figure("follow", case, "lag p50", cuts[49], "s"),
        Figure("follow", case, "lag p99", cuts[98], "s", "< 5 s"),
        Figure("follow", case, "lag, largest", max(watched.lags), "s"),
        Figure("follow", case, "peak memory", max(watched.megabytes), "MB", "< 300 MB"),
        Figure("follow", case, "memory, last third over first", grown, "MB"),
        *_difference(servers),
    ]


def _watch(servers: Servers, pid: int, writer: subprocess.Popen[str]) -> _Watched:
    watched = _Watched()
    newest = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT at FROM {} WHERE _id = {}").format(
            sql.Identifier(DATABASE, name), sql.Literal(writes.MARKER)
        )
        for name in writes.NAMES
    )
    began = time.time()
    query = sql.SQL("SELECT min(at) FROM ({}) markers").format(newest).as_string()
    while writer.poll() is None:
        time.sleep(SAMPLE_SECONDS)
        at = servers.value(query)
        now = time.time()
        if now - began < SETTLE_SECONDS / 2:
            continue  # the markers are those of before
        watched.times.append(now - began)
        watched.lags.append(now - at)
        watched.megabytes.append(_megabytes(pid))
    return watched


def _megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def idle(servers: Servers, seconds: int) -> list[Figure]:
    """Follow a source in which nothing happens."""
    servers.forget()
    writes.fill(servers.database)
    follower = _follower(servers)
    try:
        time.sleep(SETTLE_SECONDS)
        before = _cpu_seconds(follower.pid)
        time.sleep(seconds)
        used = _cpu_seconds(follower.pid) - before
    finally:
        follower.send_signal(signal.SIGTERM)
        follower.communicate()
    return [Figure("idle", f"{seconds} s", "of one core", used / seconds * 100, "%", "< 1 %")]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _difference(servers: Servers) -> list[Figure]:
    """Compare counts and sums with the source, so that a fast loss is not taken for speed."""
    found = 0
    for name in writes.NAMES:
        source = servers.database[name]
        [total] = source.aggregate([{"$group": {"_id": None, "sum": {"$sum": "$count"}}}])
        table = sql.Identifier(DATABASE, name)
        rows, changes = servers.connection.execute(
            sql.SQL("SELECT count(*), sum(count) FROM {}").format(table)
        ).fetchone() or (0, 0)
        found += abs(rows - source.count_documents({})) + abs(int(changes) - total["sum"])
    return [Figure("log", "tables against source", "difference", found, "documents", "0")]
