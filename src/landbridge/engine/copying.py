"""Copying: batches in, rows committed, and an account of every document.

For       The inner loop of every layout.
Touches   The private tables of a load, through one session for each worker.
Promises  documents = rows + rejected, for everything that was committed; nothing else is counted.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from landbridge.codec import batch_of, encoder_for, slow_encoder
from landbridge.engine.shape import Judged, Shape, constant_columns
from landbridge.errors import CodecError
from landbridge.model.batch import Aside, Batch, Encoder, PathProfile, Profile
from landbridge.model.batch import Constants as FieldBytes
from landbridge.model.plan import Plan
from landbridge.model.tables import CopySink, Session
from landbridge.state.quarantine import Rejected

_POSTGRES_EPOCH_SECONDS = 946_684_800
_ASIDE_BYTES_MAX = 8 << 20  # then they are written away, so that memory stays flat


@dataclass(slots=True)
class Account:
    """What became of documents."""

    documents: int = 0
    rows: int = 0
    bytes: int = 0
    rejected: int = 0
    profile: Profile = field(default_factory=dict)

    def add(self, other: Account) -> None:
        """Count `other` in."""
        self.documents += other.documents
        self.rows += other.rows
        self.bytes += other.bytes
        self.rejected += other.rejected
        add_profile(self.profile, other.profile)


def add_profile(total: Profile, part: Profile) -> None:
    """Count one profile into another."""
    for place, seen in part.items():
        total.setdefault(place, PathProfile()).add(seen)


class Constants:
    """The values of the columns that are the same for a whole batch."""

    def __init__(self, table_version: int) -> None:
        self._version = struct.pack(">q", table_version)

    def fields(self, plan: Plan) -> FieldBytes:
        """Return the field bytes of each constant column, as of now."""
        wanted = constant_columns(plan)
        if not wanted:
            return {}
        now = time.time()
        stamp = struct.pack(">q", round((now - _POSTGRES_EPOCH_SECONDS) * 1_000_000))
        known = {
            "_sdc_extracted_at": stamp,
            "_sdc_received_at": stamp,
            "_sdc_batched_at": stamp,
            "_imported_at": stamp,
            "_sdc_deleted_at": None,
            "_sdc_sequence": struct.pack(">q", round(now * 1000)),
            "_sdc_table_version": self._version,
            "_lb_operation": b"copy",
            "_lb_cluster_time": None,
        }
        return {name: known[name] for name in wanted}


class _Aside:
    """Documents to set aside with the rows of the COPY under way."""

    def __init__(self) -> None:
        self.documents: list[Rejected] = []
        self._bytes = 0

    def add(self, documents: list[Rejected]) -> None:
        self.documents += documents
        self._bytes += sum(len(r.document) + len(r.document_json) for r in documents)

    @property
    def full(self) -> bool:
        return self._bytes > _ASIDE_BYTES_MAX


class Copier:
    """One worker's hands: encodes batches under the shape's plan and writes them.

    `keep` receives documents to set aside; it is called inside the transaction that holds the
    rows of the same documents' batch, with no COPY open.
    """

    def __init__(
        self,
        shape: Shape,
        session: Session,
        constants: Constants,
        keep: Callable[[list[Rejected]], None],
        counted: Callable[[int, int], None],
    ) -> None:
        self._shape = shape
        self._session = session
        self._constants = constants
        self._keep = keep
        self._counted = counted
        self._encoder: Encoder | None = None
        self._again: list[Batch] = []
        self.account = Account()

    def copy_all(self, batches: Iterator[Batch | None]) -> None:
        """Copy until `batches` ends; None among them means: nothing there yet.

        Each COPY is a transaction of its own, or a part of the one that the caller holds. It
        ends early when the plan has to grow, for this worker or for another.
        """
        more = True
        while more or self._again:
            growing, batch = None, None
            part, aside = Account(), _Aside()
            with self._shape.copying() as plan, self._session.transaction():
                encoder = self._encoder_for(plan)
                with self._session.copy(self._shape.tables, plan) as sink:
                    while growing is None and not self._shape.wants_quiet and not aside.full:
                        batch, more = self._next(batches, more)
                        if batch is not None:
                            growing = self._copy_batch(batch, encoder, sink, part, aside)
                        elif not more:
                            break
                part.profile = encoder.take_profile()
                part.rejected = len(aside.documents)
                self._keep(aside.documents)
            self.account.add(part)
            if growing is not None:
                assert batch is not None
                again = batch_of(self._shape.grow(self._session, growing))
                self._again.append(replace(again, constants=batch.constants))

    def copy_chunk(self, batches: Iterator[Batch], plan: Plan) -> tuple[Account, Judged | None]:
        """Copy a whole chunk in the caller's transaction.

        Where the plan must grow first, the rest is only looked at, and what needs growth is
        returned: the caller rolls back, calls `grow`, and copies the chunk again.
        """
        part, aside = Account(), _Aside()
        encoder = self._encoder_for(plan)
        growing: Judged | None = None
        with self._session.copy(self._shape.tables, plan) as sink:
            for batch in batches:
                part.bytes += batch.bytes
                found = self._copy_batch(batch, encoder, sink, part, aside, growing is None)
                if growing is None:
                    growing = found
                elif found is not None:
                    growing.growing += found.growing
                    growing.misfits += found.misfits
        part.profile = encoder.take_profile()
        part.rejected = len(aside.documents)
        if growing is None:
            self._keep(aside.documents)
        return part, growing

    def _encoder_for(self, plan: Plan) -> Encoder:
        if self._encoder is None or self._encoder.plan is not plan:
            self._encoder = encoder_for(plan)
        return self._encoder

    def _next(self, batches: Iterator[Batch | None], more: bool) -> tuple[Batch | None, bool]:
        if self._again:
            return self._again.pop(), more
        try:
            batch = next(batches)
        except StopIteration:
            return None, False
        if batch is not None:
            self.account.bytes += batch.bytes
        return batch, True

    def _copy_batch(
        self,
        batch: Batch,
        encoder: Encoder,
        sink: CopySink,
        part: Account,
        aside: _Aside,
        writing: bool = True,
    ) -> Judged | None:
        constants = self._constants.fields(encoder.plan) | (batch.constants or {})
        encoded = encoder.encode(batch.data, batch.offset, constants)
        if writing:
            sink.write([encoder.output(i) for i in range(len(encoder.plan.tables))])
        part.rows += encoded.rows
        part.documents += encoded.documents - len(encoded.flagged) + len(batch.aside)
        aside.add([_set_aside(one) for one in batch.aside])
        judged = None
        if encoded.flagged:
            flagged = [batch.data[at : at + size] for at, size in encoded.flagged]
            judged = self._shape.judge(flagged)
            aside.add(judged.rejected)
            part.documents += len(judged.rejected)
            if judged.fitting and writing:
                self._copy_slowly(judged.fitting, encoder.plan, constants, sink, part)
        self._counted(encoded.documents + len(batch.aside), batch.bytes)
        return judged if judged is not None and judged.growing else None

    def _copy_slowly(
        self,
        documents: list[bytes],
        plan: Plan,
        constants: FieldBytes,
        sink: CopySink,
        part: Account,
    ) -> None:
        encoder = slow_encoder(plan)
        batch = batch_of(documents)
        encoded = encoder.encode(batch.data, batch.offset, constants)
        if encoded.flagged:
            raise CodecError(
                f"{len(encoded.flagged)} documents fit no plan and have no reason",
                why="the explaining and the encoding half of the codec disagree",
                fix="this is a bug in landbridge: please report it with one such document",
            )
        sink.write([encoder.output(i) for i in range(len(plan.tables))])
        part.rows += encoded.rows
        part.documents += encoded.documents
        add_profile(part.profile, encoder.take_profile())


def _set_aside(one: Aside) -> Rejected:
    return Rejected(one.data, one.name, one.text, "", one.problem.value, one.reason)
