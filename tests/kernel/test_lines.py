"""The compiled line writer gives the lines and the refused documents of its twin."""

from __future__ import annotations

import threading
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import strategies
from tests.fuzz import cases
from tests.fuzz.compare import same_lines

from landbridge.codec._kernel import LineWriter
from landbridge.codec.batches import batch_of
from landbridge.codec.lines import RESERVED_KEYS, PureLineWriter
from landbridge.errors import CodecError

SOME_KEYS = st.sampled_from([*sorted(RESERVED_KEYS), b"$", b"$oi", b"$oids", b"oid", b"$ref"])


@given(st.lists(strategies.documents(), max_size=5))
def test_documents_of_every_kind_give_the_same_lines(documents: list[bytes]) -> None:
    same_lines(LineWriter(), PureLineWriter(), batch_of(documents).data)


@given(st.lists(st.tuples(SOME_KEYS, st.just((0x0A, b""))), max_size=2))
def test_keys_that_mean_a_type_are_refused_alike(members: list[strategies.Member]) -> None:
    inner = strategies.document(members)
    scope = strategies.code_with_scope(b"f", inner)
    outer = strategies.document([(b"a", (0x03, inner))])
    code = strategies.document([(b"a", (0x0F, scope))])
    same_lines(LineWriter(), PureLineWriter(), batch_of([inner, outer, code]).data)


@given(
    st.lists(strategies.documents(deep=False), max_size=2),
    st.lists(strategies.broken_documents(), min_size=1, max_size=3),
)
@settings(max_examples=200)
def test_broken_documents_are_refused_alike(sound: list[bytes], broken: list[bytes]) -> None:
    same_lines(LineWriter(), PureLineWriter(), batch_of([*sound, *broken]).data)


@given(
    strategies.mutated(
        st.lists(strategies.documents(deep=False), max_size=3).map(
            lambda documents: batch_of(documents).data
        )
    )
)
def test_a_broken_batch_is_refused_by_both_or_by_none(data: bytes) -> None:
    same_lines(LineWriter(), PureLineWriter(), data)


@pytest.mark.parametrize("seed", range(40))
def test_random_batches_agree(seed: int) -> None:
    random = Random(seed)
    plan = cases.plan(random)
    writer = LineWriter()
    for _ in range(8):
        documents = [cases.document(random, plan) for _ in range(6)]
        if random.random() < 0.5:
            documents = [cases.mutated(random, raw) for raw in documents]
        same_lines(writer, PureLineWriter(), *cases.batch(random, documents))


def test_a_view_of_an_output_outlives_the_next_write() -> None:
    writer = LineWriter()
    batches = [batch_of([strategies.document([(key, (0x0A, b""))])]).data for key in (b"a", b"b")]
    first = writer.write(batches[0], 0).text
    second = writer.write(batches[1], 0).text
    assert (bytes(first), bytes(second)) == (b'{"a":null}\n', b'{"b":null}\n')


def test_a_broken_offset_is_an_error() -> None:
    for offset in (-1, 5, 1 << 40):
        with pytest.raises(CodecError):
            LineWriter().write(batch_of([]).data, offset)


def test_one_writer_serves_one_thread_at_a_time() -> None:
    """Another thread is turned away while a batch is written, and nothing breaks."""
    writer = LineWriter()
    data = batch_of([strategies.document([(b"a", (0x02, strategies.string(b"x" * 200)))])] * 9999)
    turned_away = []

    def work() -> None:
        for _ in range(30):
            try:
                assert len(writer.write(data.data, 0).text) == 9999 * 209
            except RuntimeError as error:
                turned_away.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("one thread" in str(error) for error in turned_away)
