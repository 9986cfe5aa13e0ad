"""Verdicts: streams compared side by side, each with its own failure.

For       The verification of landbridge's own tables, and of others through a mapping.
Touches   Both ends, through what it is handed.
Promises  What goes wrong in one stream is that stream's verdict. An interruption ends them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import TypeVar

from landbridge.errors import InternalError, LandbridgeError
from landbridge.model.stream import Collection
from landbridge.model.verification import Checked, Mode, StreamVerdict, VerifyObserver
from landbridge.mongo.connect import Connection
from landbridge.postgres import faults
from landbridge.postgres.connect import Target

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a verification, and who watches it."""

    mongo: Connection
    target: Target
    observer: VerifyObserver
    resume: Path | None = None  # folder for what is unfinished
    stopping: Event = field(default_factory=Event)


def all_of(
    ends: Ends, things: Sequence[Thing], work: Callable[[Thing], StreamVerdict], jobs: int
) -> list[StreamVerdict]:
    """Judge each, `jobs` at once; the verdicts are in the order of the things."""
    if not things:
        return []
    with ThreadPoolExecutor(max(1, min(jobs, len(things)))) as pool:
        futures = [pool.submit(work, thing) for thing in things]
        try:
            return [future.result() for future in futures]
        except BaseException:
            ends.stopping.set()
            for future in futures:
                future.cancel()
            ends.target.cancel()
            with suppress(Exception):
                ends.mongo.close()  # what its server is asked at this moment ends with an error
            raise


def verdict_of(
    ends: Ends,
    collection: Collection,
    table: str,
    mode: Mode,
    work: Callable[[], StreamVerdict],
) -> StreamVerdict:
    """Return the verdict that `work` comes to, or that it failed."""
    began = time.monotonic()
    ends.observer(Checked(collection.stream, total=collection.documents))
    try:
        with faults.translated(f"{collection.stream} could not be compared"):
            verdict = work()
    except LandbridgeError as failure:
        verdict = _failed(collection, table, mode, failure)
    except Exception as error:  # a bug stops its own stream, not the others
        verdict = _failed(collection, table, mode, InternalError.of(error))
    verdict = replace(verdict, seconds=time.monotonic() - began)
    ends.observer(
        Checked(collection.stream, verdict.source_count, None, differences(verdict), done=True)
    )
    return verdict


def differences(verdict: StreamVerdict) -> int:
    """Count the documents that a verdict names."""
    return len(verdict.missing) + len(verdict.extra) + len(verdict.different)


def _failed(
    collection: Collection, table: str, mode: Mode, failure: LandbridgeError
) -> StreamVerdict:
    return StreamVerdict(collection.database, collection.name, table, mode, error=failure.to_json())
