"""Attempts: work on one stream, again after a passing fault.

For       Every call that loads streams.
Touches   Nothing of its own.
Promises  What goes wrong comes back as an error of `landbridge.errors`; a bug of one stream
          stays with that stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from landbridge.bridge.run import Run, record_failure
from landbridge.errors import InternalError, LandbridgeError, RetryableError
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.model.summary import Progress, StreamSummary
from landbridge.model.tables import TableName
from landbridge.postgres import faults

_log = logging.getLogger("landbridge")

RETRIES_MAX = 5
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)  # 30 s in all

Result = TypeVar("Result")


def attempted(run: Run, stream: str, work: Callable[[], Result]) -> Result:
    """Do the work, at most `RETRIES_MAX` times more after passing faults.

    Raises:
        LandbridgeError: what stopped it.

    """
    for attempt in range(RETRIES_MAX + 1):
        try:
            with faults.translated(f"{stream} could not be loaded"):
                return work()
        except RetryableError:
            if attempt == RETRIES_MAX or run.stopping.wait(RETRY_SECONDS[attempt]):
                raise
        except LandbridgeError:
            raise
        except Exception as error:  # a bug stops its own stream, not the others
            _log.debug("%s failed unexpectedly", stream, exc_info=True)
            raise InternalError.of(error) from error
    raise AssertionError("the last attempt returns or raises")


def failed(
    run: Run,
    collection: Collection,
    table: TableName,
    settings: Settings,
    failure: LandbridgeError,
    seconds: float,
) -> StreamSummary:
    """Return the summary of a stream that failed, and write it into the history."""
    run.observer(Progress(collection.stream, "failed"))
    summary = StreamSummary(
        database=collection.database,
        collection=collection.name,
        target_schema=table.schema,
        target_table=table.name,
        method=settings.method,
        load=settings.load,
        seconds=seconds,
        error=failure.to_json(),
    )
    record_failure(run, summary)
    return summary


def all_of(
    work: Callable[[Collection], Result],
    collections: Sequence[Collection],
    jobs: int,
    run: Run,
) -> list[Result]:
    """Do the work for each collection, `jobs` at once; the results are in their order."""
    with ThreadPoolExecutor(max(1, min(jobs, len(collections)))) as pool:
        futures = [pool.submit(work, collection) for collection in collections]
        try:
            return [future.result() for future in futures]
        except BaseException:
            run.stopping.set()
            run.target.cancel()
            for future in futures:
                future.cancel()
            raise
