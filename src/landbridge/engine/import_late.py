"""After a group of collections is in: references that were put off, and what follows from them.

For       `import --mapping`.
Touches   The target and the source, by their ports.
Promises  A document that was taken out again is in quarantine, whole, and counted there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from landbridge.engine.importing import Import, converted
from landbridge.model.importing import Fault, LatePort, RowCounts
from landbridge.model.summary import Tally

READ_AT_ONCE = 2000


def settle(works: Sequence[Import], late: LatePort) -> None:
    """Set the references that were put off, and set aside the documents that can't stay.

    Raises:
        ViolationError: a document can't stay, and the import was to stop there.

    """
    late.settle()
    for (table, action), count in late.taken_back.items():
        for work in works:
            if (counts := work.account.rows.get(table)) is not None:
                _take_off(counts, action, count)
                break
    for work in works:
        collection = work.job.source.collection.name
        inserted, updated, unchanged = late.counts(collection)
        changed = late.updated(collection)
        for column, count in late.nulled(collection).items():
            work.account.nulled[column] = work.account.nulled.get(column, 0) + count
        work.account.tally += Tally(
            inserted=-inserted, updated=changed - updated, unchanged=-unchanged - changed
        )
        if changed:
            main = work.job.shape.main.table.name.name
            counts = work.account.rows.setdefault(main, RowCounts())
            counts.updated, counts.unchanged = counts.updated + changed, counts.unchanged - changed
        gone = inserted + updated + unchanged
        if gone:
            found = _set_aside(work, late, gone)
            # One that is no longer at the source needs no entry, and was not there to be read.
            tally = work.account.tally
            work.account.tally = replace(tally, read=tally.read - (gone - found))
    late.forget()


def _take_off(counts: RowCounts, action: str, count: int) -> None:
    match action:
        case "i":
            counts.inserted -= count
        case "u":
            counts.updated -= count
        case _:
            counts.deleted -= count


def _set_aside(work: Import, late: LatePort, expected: int) -> int:
    """Read the collection again for documents that were taken out; return how many were there."""
    job, found = work.job, 0
    collection = job.source.collection.name
    table = job.shape.main.table.name.name
    with job.source.read(snapshot=False) as read:
        documents = converted(work, read)
        while found < expected and (part := list(islice(documents, READ_AT_ONCE))):
            doomed = late.doomed(collection, [document.source_id for document in part])
            chosen = [
                document
                for document in part
                if document.source_id in doomed and not document.faults
            ]
            work.set_aside(
                [
                    document.faulty(Fault("dangling", table, *doomed[document.source_id]))
                    for document in chosen
                ]
            )
            found += len(chosen)
    return found
