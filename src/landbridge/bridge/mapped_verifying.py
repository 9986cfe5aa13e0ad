"""A verification through a mapping: documents against the tables that an import has filled.

For       `landbridge verify --mapping`, and the cutover.
Touches   Both ends, by reading.
Promises  A mapping that does not agree with the tables is told of before anything is compared.
"""

from __future__ import annotations

from collections.abc import Sequence

from landbridge.bridge.verdicts import Ends, all_of, verdict_of
from landbridge.mapping.rules import Mapping
from landbridge.model.verification import Mode, StreamVerdict
from landbridge.postgres import faults
from landbridge.verify.mapped import aggregates, counts, rows
from landbridge.verify.mapped.batches import MappedPair
from landbridge.verify.mapped.pairs import mapped_pairs
from landbridge.verify.named import NamedAggregate


def verdicts(
    ends: Ends,
    mapping: Mapping,
    mode: Mode,
    named: Sequence[NamedAggregate],
    select: Sequence[str],
    exclude: Sequence[str],
    jobs: int,
) -> tuple[list[StreamVerdict], tuple[str, ...]]:
    """Compare each collection that the mapping names; return notes on those that it does not.

    Raises:
        MappingError: the mapping does not agree with the tables.

    """
    with faults.translated("the tables cannot be looked up"), ends.target.session() as session:
        found, notes = mapped_pairs(ends.mongo, session.connection, mapping, select, exclude)

    def judge(pair: MappedPair) -> StreamVerdict:
        table = str(pair.main.table.name)
        return verdict_of(
            ends, pair.collection, table, mode, lambda: _compared(ends, pair, mode, named)
        )

    return all_of(ends, found, judge, jobs), tuple(notes)


def _compared(
    ends: Ends, pair: MappedPair, mode: Mode, named: Sequence[NamedAggregate]
) -> StreamVerdict:
    stopping = ends.stopping.is_set
    if mode == "full":
        return rows.compare(
            ends.mongo, ends.target, pair, observer=ends.observer, stopping=stopping
        )
    with ends.target.session() as session:
        if mode == "count":
            return counts.compare(ends.mongo, session.connection, pair)
        mine = [one for one in named if one.collection == pair.rule.collection]
        return aggregates.compare(
            ends.mongo,
            session.connection,
            pair,
            mine,
            observer=ends.observer,
            stopping=stopping,
        )
