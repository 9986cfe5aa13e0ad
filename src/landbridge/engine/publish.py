"""Publishing: what lies in private tables becomes what readers see, in one transaction.

For       The end of every load: keys, indexes, the merge or the swap, and the state beside it.
Touches   The target tables and the state, together.
Promises  Rows, position, history and quarantine change in one commit, under the run's epoch.
          What was read is accounted for, or nothing is published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from landbridge.engine.copying import Account, Copier
from landbridge.engine.keys import (
    GONE_KEYS,
    OPEN_KEYS,
    QUARANTINED_KEYS,
    batches_of,
    entries_with,
    key_plan,
    stage_entries,
    stage_keys,
)
from landbridge.engine.layouts import Copied, Layout, Work
from landbridge.engine.naming import public_table
from landbridge.engine.outcome import summary_of, time_of_all
from landbridge.engine.ranges import sums
from landbridge.engine.stream import Job
from landbridge.engine.wishes import wishes_for
from landbridge.errors import (
    CountMismatchError,
    LockedError,
    TableTakenError,
)
from landbridge.model.plan import Plan, TablePlan
from landbridge.model.summary import Phase, Progress, StreamSummary
from landbridge.model.tables import IndexWish, MergeCounts, MergePlan, TableName, TableState
from landbridge.state import leases, ledger, quarantine, runs, streams
from landbridge.state.plans import plan_from_json, plan_to_json

# Above this share of changed rows a fresh table is cheaper than a merge (a merged row costs
# about five times a copied one).
SWAP_SHARE = 0.2
# Of a few changes autovacuum takes care, by this share too.
ANALYZE_SHARE = 0.1


class _SwapInsteadError(Exception):
    """So much differs that the staged table should take the living one's place."""

    def __init__(self, counts: MergeCounts) -> None:
        self.counts = counts


@dataclass(slots=True)
class Publisher:
    """Brings one load to its readers."""

    work: Work
    living: TableState | None
    replaced: TableState | None
    layout: Layout
    complete: Callable[[Work, Copied], None] | None = None  # adds what is missing, before the end
    keyed: bool = False  # the private table has its key already
    changed: tuple[tuple[TableName, TablePlan], ...] = ()  # to be analyzed

    def publish(self, copied: Copied) -> StreamSummary:
        """Publish, in a transaction of its own or in the one that the caller holds.

        Raises:
            CountMismatchError: the private table does not hold what was counted.
            FencedError: another run has taken the stream over.

        """
        work, session = self.work, self.work.session
        self._report("indexing", copied.account.documents)
        work.shape.finish(session)
        if work.shape.plan.key_column is not None and copied.duplicates_possible:
            self._forget_repeated(copied)
            self._read_duplicates_again(copied, work.shape.plan)
        self._check_counts(copied)
        if self.complete is not None:
            before = work.shape.plan.key_column
            self.complete(work, copied)
            work.shape.finish(session)
            if self.keyed and work.shape.plan.key_column != before:
                session.move_key(work.shape.tables[0])
        plan, total = work.shape.plan, copied.account.documents
        if self.living is None:
            return self._publish_new(copied, plan, MergeCounts(inserted=copied.account.rows))
        self._report("publishing", total)
        try:
            return self._publish_merged(copied, plan, may_swap=True)
        except _SwapInsteadError as swap:
            counts = swap.counts
        with suppress(LockedError):
            return self._publish_new(copied, plan, counts)
        # Somebody reads the old table for long. A merge takes no lock that readers mind.
        return self._publish_merged(copied, plan, may_swap=False)

    def _publish_merged(self, copied: Copied, plan: Plan, *, may_swap: bool) -> StreamSummary:
        with self.work.session.transaction():
            counts = self._merge(copied, plan, may_swap=may_swap)
            return self._save(copied, plan, counts)

    def analyze(self, summary: StreamSummary) -> StreamSummary:
        """Refresh the statistics of tables that were changed; after the commit.

        Then the rows are known to be committed, and reading them all marks them so before the
        next checkpoint, which spares the next reader that write. The load is done in any case.
        """
        try:
            for table, shape in self.changed:
                self.work.session.analyze(table, shape)
        except Exception as error:
            note = f"the statistics were not refreshed: {error}".strip()
            return replace(summary, notes=(*summary.notes, note))
        return summary

    def _report(self, phase: Phase, documents: int) -> None:
        collection = self.work.job.source.collection
        self.work.job.report(Progress(collection.stream, phase, documents, collection.documents))

    # -- counts ------------------------------------------------------------------------------

    def _check_counts(self, copied: Copied) -> None:
        account = copied.account
        held = self.work.session.count(self.work.shape.tables[0])
        if held != account.rows or account.documents != account.rows + account.rejected:
            if copied.from_ledger:  # nothing here is to be gone on with
                streams.save_loading(self.work.session.connection, self.work.stream, None)
            raise CountMismatchError(
                f"{self.work.job.source.collection.stream} was not published",
                why=f"{account.documents} documents were read and {account.rejected} set aside,"
                f" {account.rows} rows were counted, and the private table holds {held}",
                fix="start the same command again; if it happens twice, report it",
            )

    def _forget_repeated(self, copied: Copied) -> None:
        """Count a document once that came twice and could not become a row."""
        work, connection = self.work, self.work.session.connection
        if not copied.account.rejected or work.job.source.collection.versions:
            return
        with work.session.transaction():
            streams.lock_for_chunk(connection, work.stream)
            removed = quarantine.forget_repeated(connection, work.stream.id, work.generation)
            mended = Account(documents=-removed, rejected=-removed)
            if removed and copied.from_ledger:
                ledger.correct(connection, work.stream.id, work.generation, sums(mended))
        copied.account.add(mended)

    def _read_duplicates_again(self, copied: Copied, plan: Plan) -> None:
        """Mend what a read without a snapshot may bring: one document returned twice."""
        work, session, tables = self.work, self.work.session, self.work.shape.tables
        unique = work.purpose.load != "append"
        self.keyed = unique and session.add_key(tables[0], [_key(plan)])
        if self.keyed:
            return
        copier = Copier(
            work.shape,
            session,
            work.constants,
            lambda rejected: work.keep(session, rejected),
            lambda documents, size: None,
        )
        with session.transaction():
            streams.lock_for_chunk(session.connection, work.stream)
            before = session.count(tables[0])
            ids = session.take_duplicates(tables, plan)
            if not ids:
                return
            removed = before - session.count(tables[0])
            mended = Account(documents=-removed, rows=-removed)
            if work.job.source.collection.versions:  # those that are no rows are read again, too
                mended.add(self._forget_entries(ids))
            with work.job.source.read_ids(ids) as read:
                copier.copy_all(iter(read))
            mended.add(copier.account)
            if copied.from_ledger:
                ledger.correct(session.connection, work.stream.id, work.generation, sums(mended))
        copied.account.add(mended)
        copied.notes.append(
            f"{len(ids)} ids stand more than once: the last document of each is the row, the others"
            " are in quarantine"
            if work.job.source.collection.versions
            else f"{len(ids)} documents came twice and were read again"
        )
        self.keyed = unique and session.add_key(work.shape.tables[0], [_key(plan)])

    def _forget_entries(self, ids: Sequence[bytes]) -> Account:
        """Forget what this load set aside of documents with these ids; return the correction."""
        work, connection = self.work, self.work.session.connection
        entries = entries_with(
            ids, quarantine.documents_of(connection, work.stream.id, work.generation)
        )
        quarantine.forget(connection, entries)
        return Account(documents=-len(entries), rejected=-len(entries))

    # -- a first load, or a table that takes another's place ------------------------------------

    def _publish_new(self, copied: Copied, plan: Plan, counts: MergeCounts) -> StreamSummary:
        work, session, job = self.work, self.work.session, self.work.job
        private, public = work.shape.tables, self._public_tables(plan)
        if self.living is not None and self.layout != "large":
            for table in private:
                session.set_logged(table)
        self._give_key(plan, private)
        copied.notes += self._add_indexes(plan, private[0])
        if self.layout == "tiny":
            self.changed = tuple(zip(public, plan.tables, strict=True))
        else:  # while no reader waits for them
            for table, shape in zip(private, plan.tables, strict=True):
                session.analyze(table, shape)
        self._report("publishing", copied.account.documents)
        with session.transaction():
            streams.lock_for_publish(session.connection, work.stream)
            old = self.replaced or self.living
            swapped = []
            for mine, theirs in zip(private, public, strict=True):
                if old is not None and session.inspect(theirs) is not None:
                    swapped.append((mine, theirs))
                elif mine != theirs:
                    session.rename(mine, theirs.name)
            session.take_places(swapped)
            session.drop([table for table in self._earlier_children(job) if table not in public])
            return self._save(copied, plan, counts)

    def _give_key(self, plan: Plan, tables: list[TableName]) -> None:
        session, key = self.work.session, plan.key_column
        if self.work.purpose.load == "append":
            if key is not None:
                session.add_indexes(tables[0], [IndexWish((key, "_sdc_sequence"))])
        elif key is not None and not self.keyed and not session.add_key(tables[0], [key]):
            raise CountMismatchError(
                f"{self.work.job.source.collection.stream} was not published",
                why="two documents of one snapshot have the same _id",
                fix="start the same command again; if it happens twice, report it",
            )
        for child in tables[1:]:
            session.add_key(child, ["_parent_id", "_ordinal"])

    def _public_tables(self, plan: Plan) -> list[TableName]:
        """Return the names that readers know, and refuse to take one that is not ours."""
        job = self.work.job
        ours = set(self._earlier_children(job))
        names = [job.table]
        for child in plan.tables[1:]:
            name = public_table(job.table, child, plan.settings)
            if name not in ours and self.work.session.inspect(name) is not None:
                raise TableTakenError(
                    f"{name} exists and landbridge did not make it",
                    why=f"the elements of {'.'.join(child.array_path)} would go there",
                    fix="rename that table, or keep arrays in jsonb with --arrays jsonb",
                )
            names.append(name)
        return names

    def _earlier_children(self, job: Job) -> list[TableName]:
        if self.work.stream.plan is None:
            return []
        earlier = plan_from_json(self.work.stream.plan, job.settings)
        return [public_table(job.table, child, job.settings) for child in earlier.tables[1:]]

    # -- a living table ------------------------------------------------------------------------

    def _merge(self, copied: Copied, plan: Plan, *, may_swap: bool) -> MergeCounts:
        work, session, job = self.work, self.work.session, self.work.job
        assert self.living is not None and work.stream.plan is not None
        streams.lock_for_publish(session.connection, work.stream)
        earlier = plan_from_json(work.stream.plan, job.settings)
        public = self._public_tables(plan)
        merge = MergePlan(
            plan=plan,
            staging=tuple(work.shape.tables),
            living=tuple(public),
            load=work.purpose.load,
            partial=work.purpose.partial,
            every=work.purpose.every,
            compare_values=self._compares_values(),
            soft_delete=job.settings.soft_delete,
            max_delete_share_percent=(
                job.settings.max_delete_share_percent if work.purpose.guarded else 100
            ),
            quarantined_keys=self._stage_quarantined(plan) if copied.account.rejected else None,
            gone_keys=self._stage_gone(plan) if work.gone else None,
        )
        # Comparing needs no new column, and an altered table keeps readers waiting till the commit.
        early = (
            merge.compare_values
            or earlier.key_column != plan.key_column
            or len(earlier.tables) != len(plan.tables)
        )
        if early:
            self._follow_plan(earlier, plan, public)
        counts = session.find_differences(merge)
        changed = counts.inserted + counts.updated + counts.deleted + counts.quarantined
        if may_swap and changed and self._should_swap(counts, changed, public):
            raise _SwapInsteadError(counts)
        if not early:
            self._follow_plan(earlier, plan, public)
        if changed:
            replaced = session.apply_differences(merge)
            quarantine.mark_replaced(session.connection, replaced)
        if work.purpose.partial and work.purpose.retried is None:
            self._renew_quarantine(merge)
        copied.notes += self._add_indexes(plan, public[0])
        if changed > self.living.rows * ANALYZE_SHARE or (changed and not work.purpose.partial):
            self.changed = tuple(zip(public, plan.tables, strict=True))
        session.drop([table for table in work.shape.tables if table.schema])
        return counts

    def _compares_values(self) -> bool:
        assert self.living is not None
        chosen = self.work.job.settings.compare
        return chosen == "values" or (chosen is None and self.living.foreign_writers)

    def _follow_plan(self, earlier: Plan, plan: Plan, public: list[TableName]) -> None:
        session = self.work.session
        known = len(earlier.tables)
        for name, before, after in zip(public, earlier.tables, plan.tables, strict=False):
            session.alter_living(name, before, after)
        for name, table in list(zip(public, plan.tables, strict=True))[known:]:
            session.create(name, table, "logged")
            session.add_key(name, ["_parent_id", "_ordinal"])
        if earlier.key_column is None:  # without an id yet, and so without a row
            self._give_key(plan, public[:1])
        elif earlier.key_column != plan.key_column:
            session.fill_key(public[:known], earlier, plan)
            session.move_key(public[0])

    def _should_swap(self, counts: MergeCounts, changed: int, public: list[TableName]) -> bool:
        settings = self.work.job.settings
        if (
            self.layout == "tiny"
            or self.work.purpose.load != "overwrite"
            or settings.soft_delete
            or counts.refused_deletes
            or counts.quarantined
        ):
            return False
        before = counts.updated + counts.unchanged + counts.deleted
        return changed > before * SWAP_SHARE and not self._would_lose(public)

    def _would_lose(self, public: list[TableName]) -> bool:
        """Return whether somebody has put on one of the tables what a new one would lack."""
        session, plan = self.work.session, self.work.shape.plan
        wishes = wishes_for(plan, self.work.job.source.collection)
        own_indexes = {wish.columns for wish in wishes} | {(_key(plan),)}
        for name, table in zip(public, plan.tables, strict=True):
            state = session.inspect(name)
            assert state is not None
            indexes = {columns for _, columns in session.indexes(name)}
            foreign = state.columns.keys() - {column.name for column in table.columns}
            if state.dependents or foreign or indexes - own_indexes:
                return True
            own_indexes = {("_parent_id", "_ordinal")}
        return False

    def _stage_quarantined(self, plan: Plan) -> TableName | None:
        """Put the keys of what this load set aside where the merge can find them."""
        work, session = self.work, self.work.session
        if plan.key_column is None:
            return None
        entries = quarantine.documents_of(
            session.connection, work.stream.id, work.generation, work.batch
        )
        stage_entries(session, plan, QUARANTINED_KEYS, entries)
        return QUARANTINED_KEYS

    def _renew_quarantine(self, merge: MergePlan) -> None:
        """End the entries of documents that are rows now, or gone, or in quarantine anew."""
        work, session, connection = self.work, self.work.session, self.work.session.connection
        mine = (work.stream.id, work.generation, work.batch)
        others = quarantine.others_of(connection, *mine)
        if not others or merge.plan.key_column is None:
            return
        stage_entries(session, merge.plan, OPEN_KEYS, others)
        new = [entry for entry, _ in quarantine.documents_of(connection, *mine)]
        quarantine.renew(connection, session.entries_met(merge, OPEN_KEYS), new)
        session.drop([OPEN_KEYS])

    def _stage_gone(self, plan: Plan) -> TableName | None:
        """Put the keys of rows that are to leave where the merge can find them."""
        if plan.key_column is None:
            return None
        # An id that fits no column is in no row.
        stage_keys(self.work.session, key_plan(plan), GONE_KEYS, batches_of(self.work.gone))
        return GONE_KEYS

    # -- both ----------------------------------------------------------------------------------

    def _add_indexes(self, plan: Plan, table: TableName) -> list[str]:
        if self.work.purpose.load == "append" and not plan.keyed:
            return []
        unmet = self.work.session.add_indexes(
            table, wishes_for(plan, self.work.job.source.collection)
        )
        return [
            f"no index on {', '.join(wish.columns)}: a value is too long for an index entry"
            for wish in unmet
        ]

    def _save(self, copied: Copied, plan: Plan, counts: MergeCounts) -> StreamSummary:
        """Write the state that speaks for the rows, in the transaction that shows them."""
        work, job, session = self.work, self.work.job, self.work.session
        connection, account, purpose = session.connection, copied.account, work.purpose
        summary = summary_of(work, self.layout, copied, plan, counts)
        kept = counts.refused_deletes > 0
        names = [public_table(job.table, table, plan.settings).name for table in plan.tables]
        with session.together():
            streams.save_published(
                connection,
                work.stream,
                source=job.source.identity,
                method=purpose.method,
                settings=job.settings,
                plan=plan_to_json(plan),
                generation=work.generation,
                consistent_at=time_of_all(work, copied),
                position=purpose.position_at(copied.consistent_at, kept=kept),
            )
            if purpose.retried is not None:
                quarantine.settle(connection, work.stream.id, work.generation, purpose.retried)
            elif not purpose.partial:
                quarantine.supersede(connection, work.stream.id, work.generation, work.batch)
            runs.record_changes(connection, job.run, work.stream.id, work.shape.changes)
            if not purpose.partial or work.shape.changes:
                runs.record_columns(
                    connection,
                    work.stream.id,
                    names,
                    plan,
                    account.profile,
                    all_read=not purpose.partial,
                )
            runs.record_stream(
                connection,
                job.run,
                work.stream.id,
                summary,
                layout=self.layout,
                bytes_read=account.bytes,
            )
            if copied.from_ledger:
                ledger.clear(connection, work.stream.id)
            if not purpose.keeps_lease:
                leases.release(connection, work.stream.id, job.holder)
        return summary


def _key(plan: Plan) -> str:
    return plan.key_column or "_id"
