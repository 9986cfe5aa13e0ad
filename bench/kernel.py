"""The compiled kernel against its pure Python twin, one thread, no server.

For       `python -m bench kernel`.
Touches   Nothing.
Promises  Both encode the same documents under the same plan, in turn.
"""

from __future__ import annotations

import time

from bench.figures import Figure, of_several
from bench.shapes import SHAPES, encoded
from landbridge import codec
from landbridge.codec.twin import Twin
from landbridge.engine.naming import PathNaming
from landbridge.engine.shape import LivingTable, Shape
from landbridge.model.batch import Encoder
from landbridge.model.plan import Plan
from landbridge.model.settings import Settings
from landbridge.model.tables import TableName
from landbridge.schema import start_plan

DOCUMENTS = 3_000
KERNEL_TURNS = 20  # so that its time is long enough to measure
AIM = "≥ 10 ×"


def measure(repetitions: int) -> list[Figure]:
    """Measure both shapes."""
    return [figure for shape in SHAPES for figure in _measure_shape(shape, repetitions)]


def _measure_shape(shape: str, repetitions: int) -> list[Figure]:
    documents = list(encoded(shape, DOCUMENTS))
    plan = _plan_for(documents)
    batch = codec.batch_of(documents)
    kernel, twin = codec.encoder_for(plan), Twin(plan)

    def speed(encoder: Encoder, turns: int) -> float:
        began = time.perf_counter()
        for _ in range(turns):
            encoder.encode(batch.data, batch.offset, {})
        return turns * len(documents) / (time.perf_counter() - began)

    fast, slow = [], []
    for _ in range(repetitions):
        fast.append(speed(kernel, KERNEL_TURNS))
        slow.append(speed(twin, 1))
    ratios = [a / b for a, b in zip(fast, slow, strict=True)]
    return [
        of_several("kernel", shape, "compiled" if codec.COMPILED else "no kernel", fast, "docs/s"),
        of_several("kernel", shape, "twin", slow, "docs/s"),
        of_several("kernel", shape, "times as fast", ratios, "×", AIM),
    ]


def _plan_for(documents: list[bytes]) -> Plan:
    table = TableName("", "bench")
    shape = Shape(
        start_plan(Settings(), keyed=True),
        LivingTable(None, 0, lambda number, column: False),
        PathNaming(table, ()),
        lambda number: table,
        lambda session, name, plan: None,
    )
    shape.learn(documents)
    return shape.plan
