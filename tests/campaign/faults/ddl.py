"""Collections are dropped, renamed and replaced under load, between two writes.

For       Events that bring no documents, or take all of them at once.
Touches   The collections of the stage, and one beside them.
Promises  The record says what each collection holds afterwards, before writers go on.
"""

from __future__ import annotations

import random
import time
from contextlib import AbstractContextManager
from typing import Any

import pymongo
from bson import ObjectId

from .. import writes
from ..methods import Method
from ..record import Document, Slot
from ..servers import Servers
from ..shift import Shift
from ..stage import Stage, set_up
from .fault import Fault

NAME = "things"
BESIDE = "tmp_things"  # which the command leaves out
DOCUMENTS = 150
KINDS = (
    "dropped",
    "dropped and made again",
    "replaced by a rename",
    "replaced by $out",
    "renamed and back",
    "emptied and filled",
    "database dropped",
)

Database = pymongo.database.Database[Document]


def change(stage: Stage, servers: Servers) -> str:
    """Do one of these, or two in a row, while runs go on."""
    kind = KINDS[stage.seed % 1000 % len(KINDS)]
    if stage.chance.random() < 0.7:
        stage.must_run()
    with (
        Shift(stage) as shift,
        pymongo.MongoClient[dict[str, Any]](stage.mongo_uri, tz_aware=True) as client,
    ):
        for number in range(stage.chance.randint(1, 2)):
            shift.wait_a_while(stage.chance, 1.0)
            with stage.generator.quiet():
                _do(kind, client[stage.database], stage, number)
        shift.wait_a_while(stage.chance, 1.0)
        time.sleep(0.5)  # writers go on
    return kind


def _do(kind: str, database: Database, stage: Stage, number: int) -> None:
    generator = stage.generator
    made = _documents(number)
    match kind:
        case "dropped":
            database[NAME].drop()
            generator.emptied(NAME)
        case "dropped and made again":
            database[NAME].drop()
            database[NAME].insert_many(made)
            generator.emptied(NAME, made)
        case "replaced by a rename":
            database[BESIDE].insert_many(made)
            database[BESIDE].rename(NAME, dropTarget=True)
            generator.emptied(NAME, made)
        case "replaced by $out":
            database[BESIDE].insert_many(made)
            database[BESIDE].aggregate([{"$out": NAME}])
            database[BESIDE].drop()
            generator.emptied(NAME, made)
        case "renamed and back":
            database[NAME].rename(BESIDE)
            time.sleep(stage.chance.random() / 2)
            database[BESIDE].rename(NAME)
        case "emptied and filled":
            database[NAME].delete_many({})
            database[NAME].insert_many(made)
            generator.emptied(NAME, made)
        case _:
            database.client.drop_database(database.name)
            for kept in generator.collections:
                generator.emptied(kept.name)


def _documents(number: int) -> list[Document]:
    """Return documents that nobody else writes."""
    chance, made = random.Random(number), []
    for place in range(1, DOCUMENTS + 1):
        slot = Slot(NAME, f"set {number} {place}", ObjectId(f"{number + 1:08x}{place:016x}"))
        made.append(writes.document(slot, place, chance))
    return made


def without_the_other(method: Method, seed: int, servers: Servers) -> AbstractContextManager[Stage]:
    """Return a stage that leaves out what stands beside its collections for a moment."""
    exclude = ("--exclude", "tmp_*")
    return set_up(method, seed, servers.mongod(), servers.postgresql(), flags=exclude)


FAULTS = (Fault("collections dropped, renamed, replaced", 14, change, without_the_other),)
