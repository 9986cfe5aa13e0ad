"""Ahead: items that another thread makes while this one works on those before.

For       A read that is turned into lines and written, each by a thread of its own.
Touches   Nothing.
Promises  No more items wait than were asked for. An error of the other thread is raised here, in
          its place; where this side ends first, the other ends too, before `ahead` is left.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from queue import Empty, Full, Queue
from typing import TypeVar

_POLL_SECONDS = 0.1

Item = TypeVar("Item")


class _End:
    """What follows the last item: nothing, or what went wrong."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def ahead(items: Generator[Item, None, None], waiting_max: int = 1) -> Iterator[Iterator[Item]]:
    """Give the items in their order, made by another thread."""
    ready: Queue[Item | _End] = Queue(waiting_max)
    abandoned = threading.Event()

    def put(item: Item | _End) -> None:
        while not abandoned.is_set():
            try:
                ready.put(item, timeout=_POLL_SECONDS)
                return
            except Full:
                continue

    def make() -> None:
        error = None
        try:
            with closing(items):
                for item in items:
                    put(item)
                    if abandoned.is_set():
                        break
        except BaseException as failure:
            error = failure
        put(_End(error))

    def given() -> Iterator[Item]:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
            del item  # it may be large, and the next may be long in coming

    maker = threading.Thread(target=make, name="ahead", daemon=True)
    maker.start()
    try:
        yield given()
    finally:
        abandoned.set()
        while not ready.empty():
            try:
                ready.get_nowait()
            except Empty:
                break
        maker.join()
