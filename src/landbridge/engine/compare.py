"""What a table and its source do not share: found by their keys, fetched and let go.

For       The sweep of `incremental`, which finds deletes without a log; the heal of `log`.
Touches   The source: its ids, or all documents; a temporary table of their keys; staging.
Promises  A row goes only after its document was looked for once more. What the table lacks is
          read in the same run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from landbridge.codec import canonical_key, documents_in, id_document, id_of
from landbridge.engine.copying import Copier
from landbridge.engine.keys import OPEN_KEYS, key_plan, stage_entries, stage_keys
from landbridge.engine.layouts import Copied, Counter, Work
from landbridge.engine.stream import stop_if_asked
from landbridge.model.batch import Batch
from landbridge.model.plan import Plan
from landbridge.model.stream import LiveSource, Read
from landbridge.model.tables import TableName
from landbridge.state import quarantine

SOURCE_KEYS = TableName("", "lb_source")
_LONG_ID_BYTES = 900  # ids above it may have a key that is a hash


def sweep(work: Work, copied: Copied, live: LiveSource) -> None:
    """Find rows whose document is gone, and documents that have no row; stage both."""
    _reconcile(work, copied, live, live.read_only_ids(), hashes=False)


def heal(work: Work, copied: Copied, live: LiveSource, *, snapshot: bool) -> None:
    """Find all that differs between the source as it is now and the table; stage it."""
    reading = live.read(snapshot=snapshot)
    copied.consistent_at = _reconcile(work, copied, live, reading, hashes=True)


def _reconcile(
    work: Work,
    copied: Copied,
    live: LiveSource,
    reading: AbstractContextManager[Read],
    *,
    hashes: bool,
) -> str | None:
    session, plan = work.session, work.shape.plan
    keys = key_plan(plan, hashed=hashes)
    staged = work.shape.tables[0] if work.shape.made else None
    longs: dict[bytes, bytes] = {}
    with session.transaction():
        with reading as read:
            batches = _watched(work, _noting(read, longs) if _has_key(work) else iter(read))
            unfit = stage_keys(session, keys, SOURCE_KEYS, batches)
            consistent_at = read.consistent_at
        found = session.compare_keys(plan, SOURCE_KEYS, work.job.table, staged, hashes=hashes)
        work.gone += _gone_from_quarantine(work, plan)
        session.drop([SOURCE_KEYS])
    work.gone += gone_for_sure(live, found.gone)
    lacking = [*found.lacking, *_ids(unfit), *(longs[key] for key in found.hashed)]
    if lacking:
        _fetch(work, copied, live, lacking)
    return consistent_at


def _gone_from_quarantine(work: Work, plan: Plan) -> list[bytes]:
    """Return the ids of documents in quarantine that the source has no more."""
    held = quarantine.others_of(
        work.session.connection, work.stream.id, work.generation, work.batch
    )
    if not held or plan.key_column is None:
        return []
    stage_entries(work.session, plan, OPEN_KEYS, held)
    missing = set(work.session.entries_without(plan.key_column, OPEN_KEYS, SOURCE_KEYS))
    work.session.drop([OPEN_KEYS])
    return _ids([document for entry, document in held if entry in missing])


def _has_key(work: Work) -> bool:
    return work.shape.plan.key_column == "_key"


def _watched(work: Work, batches: Iterator[Batch]) -> Iterator[Batch]:
    for batch in batches:
        stop_if_asked(work.job)
        yield batch


def _noting(read: Read, longs: dict[bytes, bytes]) -> Iterator[Batch]:
    """Note ids whose key is a hash, which tells no id."""
    for batch in read:
        for document in documents_in(batch):
            identity = id_of(document) if len(document) > _LONG_ID_BYTES else None
            if identity is not None and len(identity[1]) > _LONG_ID_BYTES:
                longs[canonical_key(*identity)] = id_document(*identity)
        yield batch


def _ids(documents: list[bytes]) -> list[bytes]:
    found = (id_of(document) for document in documents)
    return [id_document(*identity) for identity in found if identity is not None]


def gone_for_sure(live: LiveSource, ids: list[bytes]) -> list[bytes]:
    """Return the ids that the source still does not have, when asked for one by one."""
    if not ids:
        return []
    with live.read_only_ids(ids) as read:
        alive = {_key(document) for batch in read for document in documents_in(batch)}
    return [document for document in ids if _key(document) not in alive]


def _key(document: bytes) -> bytes:
    identity = id_of(document)
    return b"" if identity is None else canonical_key(*identity)


def _fetch(work: Work, copied: Copied, live: LiveSource, ids: list[bytes]) -> None:
    copier = Copier(
        work.shape,
        work.session,
        work.constants,
        lambda rejected: work.keep(work.session, rejected),
        Counter(work.job),
    )
    with live.read_ids(ids) as read:
        copier.copy_all(iter(read))
    copied.account.add(copier.account)
