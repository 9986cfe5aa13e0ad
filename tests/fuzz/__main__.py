"""The fuzz loop: random plans, documents and broken bytes through a kernel with sanitizers.

For       `make fuzz`, by way of `scripts/fuzz`, which builds that kernel.
Touches   Memory, and a small file that holds the seed of the case at hand: a sanitizer ends the
          process at once.
Promises  A case is made from its seed alone, and the loop from the first seed, which is printed.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from tests.fuzz.cases import CONSTANTS, batch, damaged_text, document, mutated, nested, plan
from tests.fuzz.compare import same, same_lines, same_parsed

from landbridge.codec.lines import LineWriter, PureLineWriter
from landbridge.codec.parsing import Parsed
from landbridge.codec.twin import Twin
from landbridge.errors import CodecError
from landbridge.model.batch import Encoded, Encoder
from landbridge.model.plan import Plan
from landbridge.model.tables import TableName
from landbridge.verify.kernel import Reader
from landbridge.verify.shape import Form, Shape, full_shape

SECONDS = 60
COMPARED_BATCHES = 3
FIELDS = [
    b"12345678",
    b'{"a": [1.50, "\\u00e9\\ud834\\udd1e"]}',
    b"[[[[",
    b'"\\',
    b"\0\2\0\0\0\0\0\0\0\1\0\2",  # a numeric
]
LONE_BATCHES = 40  # without the twin, which is a hundred times slower than its kernel


def main() -> None:
    """Run cases until the time is over."""
    arguments = parse()
    kernel = kernel_at("landbridge.codec._kernel", arguments.kernel)
    comparison = kernel_at("landbridge.verify._kernel", arguments.comparison)
    first = arguments.seed if arguments.seed is not None else SystemRandom().randrange(1 << 32)
    print(f"fuzz: first seed {first}, {arguments.seconds:g} s", flush=True)
    end = time.monotonic() + arguments.seconds
    seed, documents = first, 0
    with arguments.case.open("w") as case:
        while time.monotonic() < end and (not arguments.cases or seed - first < arguments.cases):
            case.seek(0)
            case.write(f"{seed:<20}\n")
            case.flush()
            documents += run(seed, kernel.Kernel, kernel.LineWriter(), kernel.parse_lines)
            read(seed, comparison.Kernel)
            seed += 1
    print(f"fuzz: {seed - first} cases, {documents} documents, nothing found")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--kernel", type=Path, required=True, help="the kernel's shared object")
    parser.add_argument("--comparison", type=Path, required=True, help="that of the verification")
    parser.add_argument("--case", type=Path, required=True, help="file for the seed of the case")
    parser.add_argument("--seed", type=int, help="first seed; random by default")
    parser.add_argument("--cases", type=int, default=0, help="stop after that many")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    return parser.parse_args()


def kernel_at(name: str, path: Path) -> Any:
    """Load a kernel of another build than the one that is installed."""
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def run(
    seed: int,
    kernel: Callable[[Plan], Encoder],
    lines: LineWriter,
    parse: Callable[[bytes, int, int, bool], Parsed],
) -> int:
    """Try one plan on some batches; return the number of documents encoded."""
    random = Random(seed)
    case_plan = plan(random)
    encoder, twin = kernel(case_plan), Twin(case_plan)
    documents = 0
    for number in range(COMPARED_BATCHES + LONE_BATCHES):
        data, offset = bytes_for(random, case_plan)
        if number < COMPARED_BATCHES:
            encoded = same(encoder, twin, data, offset)
            same_lines(lines, PureLineWriter(), data, offset)
            same_parsed(parse, text_for(random, lines, data, offset))
        else:
            encoded = alone(encoder, data, offset)
            lines_alone(lines, data, offset)
            text = text_for(random, lines, data, offset)
            parse(text, 0, len(text), random.random() < 0.5)
        documents += encoded.documents if encoded else 0
    return documents


def read(seed: int, kernel: Callable[[Shape], Reader]) -> None:
    """Make records of sound and broken documents, and of broken rows."""
    random = Random(seed)
    case_plan = plan(random)
    names = [TableName("s", f"t{number}") for number in range(len(case_plan.tables))]
    types = [{one.name: one.type for one in table.columns} for table in case_plan.tables]
    shape = full_shape(case_plan, names, types)
    reader = kernel(shape)
    for _ in range(LONE_BATCHES):
        data, offset = bytes_for(random, case_plan)
        with suppress(RuntimeError):  # a batch that is none
            reader.documents(data, offset)
        fields = [
            b"\x01" * (one.form is Form.JSON) + random.choice(FIELDS) for one in shape.main.columns
        ]
        row = struct.pack(">h", len(fields)) + b"".join(
            struct.pack(">i", len(one)) + one for one in fields
        )
        with suppress(RuntimeError):
            reader.rows(0, mutated(random, row * 2))


def bytes_for(random: Random, case_plan: Plan) -> tuple[bytes, int]:
    """Make a batch; half of them hold broken documents, some are broken themselves."""
    documents = [document(random, case_plan) for _ in range(4)]
    if random.random() < 0.5:
        documents = [mutated(random, raw) for raw in documents]
    if random.random() < 0.05:
        documents.append(nested(random, random.choice((5, 199, 200, 201, 5000))))
    data, offset = batch(random, documents)
    if random.random() < 0.1:
        return mutated(random, data[offset:]), 0
    return data, offset


def text_for(random: Random, lines: LineWriter, data: bytes, offset: int) -> bytes:
    """Make lines of a batch, most of them damaged."""
    try:
        text = bytes(lines.write(data, offset).text)
    except CodecError:
        return data
    return damaged_text(random, text) if random.random() < 0.8 else text


def alone(encoder: Encoder, data: bytes, offset: int) -> Encoded | None:
    """Encode without a twin; what comes out must still be whole tuples, one a document."""
    try:
        encoded = encoder.encode(data, offset, CONSTANTS)
    except CodecError:
        return None
    assert encoded.documents == encoded.rows + len(encoded.flagged)
    assert tuples_in(encoder.output(0), len(encoder.plan.main.columns)) == encoded.rows
    encoder.take_profile()
    return encoded


def lines_alone(writer: LineWriter, data: bytes, offset: int) -> None:
    """Write lines without a twin: one for each document that was not refused."""
    try:
        written = writer.write(data, offset)
    except CodecError:
        return
    lines = bytes(written.text).count(b"\n")
    assert lines == written.documents - len(written.refused)


def tuples_in(output: memoryview, columns: int) -> int:
    """Count the COPY tuples of an output, each field's length checked."""
    at = count = 0
    while at < len(output):
        assert struct.unpack_from(">h", output, at)[0] == columns
        at += 2
        for _ in range(columns):
            at += 4 + max(0, struct.unpack_from(">i", output, at)[0])
        count += 1
    assert at == len(output)
    return count


if __name__ == "__main__":
    main()
