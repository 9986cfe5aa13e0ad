"""The relay: batches from one reader to those that work on them.

For       The layout `small`, where one cursor feeds several COPYs; the log, read ahead.
Touches   Nothing.
Promises  What waits is bounded in bytes. The first failure, of reader or worker, ends them all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

QUEUED_BYTES_MAX = 12 << 20
_POLL_SECONDS = 0.02


class _Sized(Protocol):
    @property
    def bytes(self) -> int: ...


Item = TypeVar("Item", bound=_Sized)


class AbandonedError(Exception):
    """Another worker failed; this one's rows are to be rolled back."""


class Relay(Generic[Item]):
    """Batches from one reader to several workers, bounded in bytes; the first failure ends all."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._batches: list[Item] = []
        self._queued_bytes = 0
        self._closed = False
        self._failure: BaseException | None = None

    def put(self, batch: Item) -> bool:
        """Hand a batch over; False where the workers have failed."""
        with self._ready:
            self._ready.wait_for(
                lambda: (
                    self._failure is not None
                    or not self._batches
                    or self._queued_bytes + batch.bytes <= QUEUED_BYTES_MAX
                )
            )
            self._batches.append(batch)
            self._queued_bytes += batch.bytes
            self._ready.notify()
            return self._failure is None

    def batches(self) -> Iterator[Item | None]:
        """Yield batches as they come, and None when there was none for a moment."""
        while True:
            with self._ready:
                if not self._batches and not self._closed:
                    self._ready.wait(_POLL_SECONDS)
                if self._failure is not None:
                    raise AbandonedError
                if self._batches:
                    batch: Item | None = self._batches.pop(0)
                    assert batch is not None
                    self._queued_bytes -= batch.bytes
                    self._ready.notify_all()
                elif self._closed:
                    return
                else:
                    batch = None
            yield batch

    def close(self) -> None:
        """Say that no batch follows."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def fail(self, error: BaseException) -> None:
        """Let the first failure end everything."""
        with self._ready:
            self._failure = self._failure or error
            self._batches.clear()
            self._ready.notify_all()

    def guard(self, work: Callable[[], None]) -> None:
        """Run a worker; its error becomes the relay's."""
        try:
            work()
        except AbandonedError:
            pass
        except BaseException as error:
            self.fail(error)

    @property
    def failed(self) -> bool:
        """Whether anything went wrong."""
        return self._failure is not None

    def raise_failure(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._failure is not None:
            raise self._failure
