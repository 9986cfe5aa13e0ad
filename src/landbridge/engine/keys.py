"""Keys: ids of documents, in a temporary table, in the form that a stream's table has them.

For       Finding rows by the ids of documents: to delete, to compare, to match with quarantine.
Touches   Temporary tables, which end with the transaction.
Promises  An id whose kind the table has no column for is returned: no row can have it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from landbridge.codec import batch_of, encoder_for, id_document, id_of, key_of, slow_encoder
from landbridge.model.batch import Batch
from landbridge.model.kinds import Kind
from landbridge.model.plan import Column, Field, Op, Plan, Role, Slot, TablePlan
from landbridge.model.tables import Session, TableName

QUARANTINED_KEYS = TableName("", "lb_quarantined")  # of documents that a load sets aside
OPEN_KEYS = TableName("", "lb_open")  # of those that were set aside before it
GONE_KEYS = TableName("", "lb_gone")  # of rows that are to leave

_IDS_A_BATCH = 50_000
_ANY_KIND = tuple(
    Slot(kind, Op.DISCARD, subtype=subtype)
    for kind in Kind
    for subtype in (range(256) if kind is Kind.BINARY else (0,))
)
_ENTRY = Column("entry", "bigint", Role.CONSTANT)


def key_plan(plan: Plan, *, hashed: bool = False) -> Plan:
    """Return the plan of a table that holds keys only; with `hashed`, of whole documents.

    Such a document's other fields are looked at and left out, so that one with a field that the
    plan lacks is flagged: the table cannot have it.
    """
    main = plan.main
    by_key = main.column_with(Role.KEY) >= 0  # which ids of all kinds have
    columns = [c for c in main.columns if c.role is (Role.KEY if by_key else Role.ID)]
    places = {main.columns.index(c): i for i, c in enumerate(columns)}
    if hashed:
        columns.append(next(c for c in main.columns if c.role is Role.HASH))
    fields = []
    for field in main.fields:
        if field.name == "_id" and by_key:
            fields.append(Field("_id", _ANY_KIND))
        elif field.name == "_id":
            slots = tuple(replace(s, column=places.get(s.column, -1)) for s in field.slots)
            fields.append(replace(field, slots=slots))
        elif hashed:
            fields.append(_left_out(field))
    return replace(plan, tables=(TablePlan(tuple(columns), tuple(fields)),))


def _left_out(field: Field) -> Field:
    slots = tuple(replace(s, op=Op.DISCARD, column=-1) for s in field.slots)
    return replace(field, slots=slots, fields=tuple(map(_left_out, field.fields)))


def stage_keys(
    session: Session, plan: Plan, table: TableName, batches: Iterable[Batch]
) -> list[bytes]:
    """Make a temporary table of the keys of documents; return the documents that don't fit it.

    `plan` is one that `key_plan` made.
    """
    session.create(table, plan.main, "temporary")
    encoder = encoder_for(plan)
    unfit = []
    with session.copy([table], plan) as sink:
        for batch in batches:
            encoded = encoder.encode(batch.data, batch.offset, {})
            sink.write([encoder.output(0)])
            unfit += [batch.data[at : at + size] for at, size in encoded.flagged]
    return unfit


def stage_entries(
    session: Session, plan: Plan, table: TableName, entries: Iterable[tuple[int, bytes]]
) -> None:
    """Make a temporary table of (key, entry) for numbered documents; those without an id are out.

    `plan` is the stream's own.
    """
    keys = key_plan(plan)
    keys = replace(keys, tables=(replace(keys.main, columns=(*keys.main.columns, _ENTRY)),))
    session.create(table, keys.main, "temporary")
    encoder = slow_encoder(keys)
    with session.copy([table], keys) as sink:
        for entry, document in entries:
            identity = id_of(document)
            if identity is None:
                continue
            batch = batch_of([id_document(*identity)])
            encoder.encode(batch.data, batch.offset, {"entry": entry.to_bytes(8, "big")})
            sink.write([encoder.output(0)])


def batches_of(documents: list[bytes]) -> Iterable[Batch]:
    """Yield documents as batches of bounded size."""
    for start in range(0, len(documents), _IDS_A_BATCH):
        yield batch_of(documents[start : start + _IDS_A_BATCH])


def entries_with(ids: Iterable[bytes], entries: Iterable[tuple[int, bytes]]) -> list[int]:
    """Return which of some numbered documents have one of these ids, each `{_id: …}`."""
    keys = {key_of(id_of(one)) for one in ids} - {None}
    return [entry for entry, document in entries if key_of(id_of(document)) in keys]
