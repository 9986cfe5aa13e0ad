"""An import into tables that people made, taken back.

For       `landbridge import --undo`, and notebooks.
Touches   The target.
Promises  Rows go back to what they were before the import, newest first. What was changed since,
          or is referred to by other rows, stays and is listed. It can be called again.
"""

from __future__ import annotations

import time

from landbridge.bridge.run import begun, finish, silent
from landbridge.errors import RefusedError, UsageError
from landbridge.model.importing import Undone, UndoObserver, UndoSummary
from landbridge.postgres import faults
from landbridge.postgres.undo import TakenBack, Undo
from landbridge.state import imports

_ABOVE_ALL = 2**63 - 1


def undo_import(target: str, run: str, *, observer: UndoObserver | None = None) -> UndoSummary:
    """Take back what one import wrote.

    Args:
        target: PostgreSQL URI.
        run: the import's run, as its report names it.
        observer: called with every step of progress.

    Returns:
        How many rows were removed and restored; those that were refused, with the reason.

    Raises:
        UsageError: there is no such import, or it was taken back already.

    """
    began = time.monotonic()
    with begun(target, "import --undo", silent) as undoing:
        with undoing.target.session() as session, faults.translated("the import cannot be undone"):
            connection = session.connection
            known = imports.find_run(connection, run)
            _refuse(known, run)
            assert known is not None
            with imports.held(connection, run, undoing.holder, lambda: undoing.target.pids):
                taken = _take_all(Undo(connection, run), run, known.journalled, observer)
                if not taken.refused_count:
                    with session.transaction():
                        imports.mark_undone(connection, run)
        error = _error(taken, run)
        finish(undoing, error)
    return UndoSummary(
        run=run,
        removed=taken.removed,
        restored=taken.restored,
        refused=tuple(taken.refused.values()),
        refused_count=taken.refused_count,
        seconds=time.monotonic() - began,
        error=error,
    )


def _take_all(undo: Undo, run: str, total: int, observer: UndoObserver | None) -> TakenBack:
    """Go through the journal, and again as long as that brings what was refused before."""
    done_before, together = -1, False
    while undo.taken.done > done_before or not together:
        together = done_before >= 0
        done_before = undo.taken.done
        undo.taken.refused.clear()
        undo.taken.refused_count = 0
        oldest: int | None = _ABOVE_ALL
        while oldest is not None:
            oldest = undo.take_back(oldest, together=together)
            if observer is not None:
                observer(Undone(run, undo.taken.done, total))
        if not undo.taken.refused_count:
            break
    return undo.taken


def _refuse(known: imports.ImportRun | None, run: str) -> None:
    if known is None or known.command != "import":
        raise UsageError(
            f"there is no import {run}",
            why="no run of that id is in the history, or it was no import by a mapping",
            fix="take the id from the import's report, or from landbridge.run",
        )
    if known.undone_at is not None:
        raise UsageError(
            f"the import {run} was taken back already",
            why=f"that was at {known.undone_at[:19]}",
            fix="nothing is left to do; it can be imported again",
        )
    if not known.journalled and not known.finished:
        return
    if not known.journalled:
        raise UsageError(
            f"nothing is known of what the import {run} wrote",
            why=f"it changed nothing, or its journal is older than {imports.JOURNAL_DAYS} days",
            fix="take the id of another import, or restore a backup",
        )


def _error(taken: TakenBack, run: str) -> dict[str, str] | None:
    if not taken.refused_count:
        return None
    first = next(iter(taken.refused.values()), None)
    named = f"; the first is {first.table} {first.key}: {first.reason}" if first else ""
    return RefusedError(
        f"{taken.refused_count} changes of the import {run} were not taken back",
        why=f"those rows were changed since, or other rows refer to them{named}",
        fix="undo later imports first, mend or remove the rows that were changed by hand, "
        "then undo again: the others are done",
    ).to_json()
