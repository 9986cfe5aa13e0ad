"""Incremental: a run that finds a little new in much, and the sweep of all ids by itself.

For       `python -m bench incremental`.
Touches   The narrow collection, which gets a key and an index; the schema `bench`.
Promises  The same change is measured in a small and in a large collection: time that follows the
          change is alike in both. The sweep stands beside a plain covered scan of the same ids.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from bench import shapes
from bench.figures import Figure, of_several
from bench.process import landbridge, run
from bench.servers import Servers

CHANGED_SHARE = 0.01
NAME = "growing"


def measure(servers: Servers, documents: int, repetitions: int) -> list[Figure]:
    """Measure a hundredth changed in `documents`, and as many changed in a tenth of them."""
    changed = round(documents * CHANGED_SHARE)
    figures = []
    medians = {}
    for count in (documents // 10, documents):
        _fill(servers, count)
        seconds = []
        for _ in range(repetitions):
            _change(servers, changed)
            seconds.append(run(_command(servers, "--sweep", "never")).seconds)
        case = f"{changed:,} changed in {count:,}, --sweep never"
        figures.append(of_several("incremental", case, "whole command", seconds, "s"))
        medians[count] = figures[-1].value
    ratio = medians[documents] / medians[documents // 10]
    case = "the same change in ten times the collection"
    figures.append(Figure("incremental", case, "time", ratio, "x", "about 1"))
    plain = [_plain_scan(servers) for _ in range(repetitions)]
    idle = [run(_command(servers, "--sweep", "never")).seconds for _ in range(repetitions)]
    swept = [run(_command(servers, "--sweep", "always")).seconds for _ in range(repetitions)]
    extra = [one - other for one, other in zip(swept, idle, strict=True)]
    case = f"{documents:,} ids"
    figures += [
        of_several("sweep", case, "sweep: a run with it less one without", extra, "s"),
        of_several("sweep", case, "plain covered scan by pymongo", plain, "s"),
    ]
    return figures


def _command(servers: Servers, *options: str) -> list[str]:
    return landbridge(
        *("sync", "--from", servers.source, "--to", servers.target, "--select", NAME, "--json"),
        *("--method", "incremental", "--key", "updatedAt", "--lookback", "0", *options),
    )


def _fill(servers: Servers, count: int) -> None:
    servers.forget()
    collection = servers.database[NAME]
    shapes.fill(collection, "narrow", count)
    collection.update_many({}, {"$set": {"updatedAt": datetime.now(UTC)}})
    collection.create_index("updatedAt")
    run(_command(servers))


def _change(servers: Servers, count: int) -> None:
    time.sleep(0.01)  # so that the new key is past all others
    collection = servers.database[NAME]
    ids = [found["_id"] for found in collection.find({}, {"_id": 1}).limit(count)]
    collection.update_many(
        {"_id": {"$in": ids}}, {"$set": {"updatedAt": datetime.now(UTC)}, "$inc": {"count": 1}}
    )


def _plain_scan(servers: Servers) -> float:
    began = time.perf_counter()
    cursor = servers.database[NAME].find({}, {"_id": 1}).hint([("_id", 1)])
    for _ in cursor:
        pass
    return time.perf_counter() - began
