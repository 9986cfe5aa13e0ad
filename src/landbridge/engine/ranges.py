"""The layout `large`: ranges of `_id`, each committed with its row in the ledger.

For       Loads that take longer than a snapshot lives, and servers without snapshots.
Touches   The source by reading; the load's private tables, the ledger, `stream.loading`.
Promises  A crash costs the ranges under way; the same command goes on with those that are left.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import asdict
from functools import partial

from landbridge.engine.copying import Account, Copier
from landbridge.engine.layouts import Copied, Counter, Work
from landbridge.engine.relay import Relay
from landbridge.model.batch import Batch
from landbridge.model.stream import IdRange
from landbridge.model.tables import Session
from landbridge.state import ledger, streams
from landbridge.state.ledger import LedgerSum
from landbridge.state.plans import plan_to_json

CHUNK_BYTES = 48 << 20
SAMPLE_DOCUMENTS = 1000
SAMPLE_SECONDS = 2.0


class _GrowthNeededError(Exception):
    """The plan must grow before this range fits; its transaction is to be rolled back."""


def copy_ranges(work: Work, *, resumed: bool) -> Copied:
    """Copy range by range; each is committed with its ledger row."""
    job, shape, connection = work.job, work.shape, work.session.connection
    if resumed:
        shape.resume()
    else:
        shape.learn(job.source.sample(SAMPLE_DOCUMENTS, SAMPLE_SECONDS))
        with work.session.transaction():
            streams.lock_for_publish(connection, work.stream)
            ledger.clear(connection, work.stream.id)
            shape.start(work.session)
            ledger.lay_out(
                connection, work.stream.id, work.generation, job.source.split(CHUNK_BYTES)
            )
            _save_loading(work, work.session)
    shape.remember = lambda session: _save_loading(work, session)
    parts: queue.SimpleQueue[IdRange] = queue.SimpleQueue()
    for part in ledger.remaining(connection, work.stream.id, work.generation):
        parts.put(part)
    relay, counter = Relay[Batch](), Counter(job)
    with job.target.copy_sessions() as sessions:
        workers = [
            threading.Thread(
                target=relay.guard,
                args=(partial(_copy_parts, work, session, parts, relay, counter),),
            )
            for session in sessions
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        relay.raise_failure()
        for session in sessions:
            session.flush_counts()
    total = ledger.total(connection, work.stream.id, work.generation)
    account = Account(
        documents=total.documents,
        rows=total.rows,
        bytes=total.bytes,
        rejected=total.quarantined,
        profile=total.profile,
    )
    notes = ["read in ranges: not one point in time until the log method follows it up"]
    return Copied(account, None, duplicates_possible=True, from_ledger=True, notes=notes)


def _save_loading(work: Work, session: Session) -> None:
    """Remember the load's plan, in the transaction that changes its tables."""
    streams.save_loading(
        session.connection,
        work.stream,
        {
            "source": work.job.source.identity,
            "generation": work.generation,
            "merges": work.merges,
            "settings": asdict(work.job.settings),
            "plan": plan_to_json(work.shape.plan),
        },
    )


def sums(account: Account) -> LedgerSum:
    """Return an account as the ledger keeps it."""
    return LedgerSum(
        account.documents, account.rows, account.rejected, account.bytes, account.profile
    )


def _copy_parts(
    work: Work,
    session: Session,
    parts: queue.SimpleQueue[IdRange],
    relay: Relay[Batch],
    counter: Counter,
) -> None:
    while not relay.failed:
        try:
            part = parts.get_nowait()
        except queue.Empty:
            return
        while not _copy_part(work, session, part, counter):
            pass  # the plan grew: the same range again


def _copy_part(work: Work, session: Session, part: IdRange, counter: Counter) -> bool:
    """Copy one range in one transaction; False where the plan had to grow instead."""
    stream, generation, connection = work.stream, work.generation, session.connection
    copier = Copier(
        work.shape,
        session,
        work.constants,
        lambda rejected: work.keep(session, rejected, part.number),
        counter,
    )
    growing = None
    with work.shape.copying() as plan:
        try:
            with session.transaction():
                streams.lock_for_chunk(connection, stream)
                if not ledger.claim(connection, stream.id, generation, part.number):
                    return True
                with work.job.source.read_range(part) as read:
                    account, growing = copier.copy_chunk(iter(read), plan)
                if growing is not None:
                    raise _GrowthNeededError
                ledger.count(connection, stream.id, generation, part.number, sums(account))
        except _GrowthNeededError:
            pass
    if growing is None:
        return True
    work.shape.grow(session, growing)
    return False
