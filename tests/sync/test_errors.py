"""Wrong addresses, passwords, names and privileges: what is told, and that nothing is disturbed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import psycopg
import pymongo
import pytest
from psycopg import sql
from tests.sync.conftest import Check, Sync, load
from tests.sync.reader import Mongo

import landbridge
from landbridge.embedded import Mongod
from landbridge.errors import LandbridgeError
from landbridge.model.summary import Progress

SECRET = "s3cr3t/with:odd@signs"


def with_login(uri: str, user: str, password: str) -> str:
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def refusal(source: str, target: str) -> LandbridgeError:
    with pytest.raises(LandbridgeError) as caught:
        landbridge.sync(source, target, schema="raw")
    told = f"{caught.value} {caught.value.to_json()}"
    assert not any(piece in told for piece in (SECRET, quote(SECRET, safe=""), "s3cr3t", "odd"))
    assert caught.value.why and caught.value.fix
    return caught.value


def test_an_end_that_is_not_there(mongo: Mongo, mongo_uri: str, postgres_uri: str) -> None:
    mongo["t"].insert_one({"_id": 1})
    nobody = f"127.0.0.1:1/db?password={quote(SECRET, safe='')}"
    errors = {
        "unreachable": [
            (f"mongodb://u:{quote(SECRET, safe='')}@127.0.0.1:1/db", postgres_uri),
            (mongo_uri, f"postgresql://u:{quote(SECRET, safe='')}@127.0.0.1:1/db"),
            (mongo_uri, f"postgresql://{nobody}"),
        ],
        "usage": [
            ("mongodb://", postgres_uri),
            ("http://127.0.0.1/db", postgres_uri),
            (f"mongodb://u:{SECRET}@127.0.0.1/db", postgres_uri),
            (mongo_uri, f"postgres//u:{quote(SECRET, safe='')}@127.0.0.1/db"),
            (mongo_uri, "postgresql://127.0.0.1/db?nonsense=1"),
            (mongo_uri, f"postgresql://u:{SECRET}@127.0.0.1/db"),
            (mongo_uri, f"postgresql://u:{SECRET.replace('/', '')}@127.0.0.1/db"),
            (mongo_uri, f"postgresql://u:12/{SECRET}@127.0.0.1/db"),
            (mongo_uri, f"postgresql://u:%zz{SECRET}@127.0.0.1/db"),
            (mongo_uri, f"host=127.0.0.1 password={SECRET} x"),
            (urlsplit(mongo_uri)._replace(path="/").geturl(), postgres_uri),
        ],
    }
    for code, pairs in errors.items():
        for source, target in pairs:
            assert refusal(source, target).code == code, (source, target)


def test_databases_and_passwords_that_are_wrong(
    mongo: Mongo, mongo_uri: str, postgres_uri: str
) -> None:
    mongo["t"].insert_one({"_id": 1})
    missing = refusal(urlsplit(mongo_uri)._replace(path="/nothing_here").geturl(), postgres_uri)
    assert missing.code == "source_missing" and mongo.name in missing.why
    nowhere = refusal(mongo_uri, urlsplit(postgres_uri)._replace(path="/nothing_here").geturl())
    assert nowhere.code == "failed" and "nothing_here" in nowhere.why
    wrong = refusal(mongo_uri, with_login(postgres_uri, "postgres", SECRET))
    assert wrong.code == "authentication_failed" and "postgres" in wrong.what


@pytest.fixture(scope="module")
def guarded() -> Iterator[Mongod]:
    """A mongod that asks for a password; ann may read one collection of `shop`."""
    with Mongod(auth=True) as server:
        with pymongo.MongoClient(server.uri) as client:
            client.shop.orders.insert_one({"_id": 1})
            client.shop.secrets.insert_one({"_id": 1})
            actions = ["find", "collStats", "listIndexes"]
            resource = {"db": "shop", "collection": "orders"}
            client.shop.command(
                "createRole",
                "some",
                privileges=[
                    {"resource": resource, "actions": actions},
                    {"resource": {"db": "shop", "collection": ""}, "actions": ["listCollections"]},
                ],
                roles=[],
            )
            client.shop.command("createUser", "ann", pwd=SECRET, roles=["some"])
        yield server


def of_ann(guarded: Mongod, password: str) -> str:
    address = guarded.uri.rpartition("@")[2].partition("/")[0]
    user = f"ann:{quote(password, safe='')}"
    return f"mongodb://{user}@{address}/shop?directConnection=true&authSource=shop"


def test_what_a_user_of_mongodb_may_not_read_fails_alone(
    guarded: Mongod, postgres_uri: str, postgres: psycopg.Connection
) -> None:
    assert refusal(of_ann(guarded, "wrong"), postgres_uri).code == "authentication_failed"
    done = load(of_ann(guarded, SECRET), postgres_uri)
    assert done.counts("orders") == {"read": 1, "inserted": 1}
    assert done.code("secrets") == "no_privilege"
    assert "shop" in (done["secrets"].error or {})["fix"]
    assert SECRET not in str(done.summary.to_json())
    state = postgres.execute("SELECT string_agg(s::text, ' ') FROM landbridge.stream s").fetchone()
    assert state is not None and SECRET not in state[0] and quote(SECRET, safe="") not in state[0]


def test_what_a_role_of_postgresql_may_not_do(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, postgres: psycopg.Connection
) -> None:
    mongo["t"].insert_one({"_id": 1})
    mongo["u"].insert_one({"_id": 1})
    role = sql.Identifier(f"loader_{mongo.name}")
    database = sql.Identifier(urlsplit(postgres_uri).path[1:])

    def administrate(statement: str) -> None:
        postgres.execute(
            sql.SQL(statement).format(  # type: ignore[arg-type]
                role=role, database=database, secret=sql.Literal(SECRET)
            )
        )

    administrate("CREATE ROLE {role} LOGIN PASSWORD {secret}")
    login = with_login(postgres_uri, role._obj[0], SECRET)
    try:
        first = refusal(mongo_uri, login)
        assert first.code == "no_privilege" and "GRANT CREATE ON DATABASE" in first.fix
        assert postgres.execute("SELECT to_regnamespace('landbridge')").fetchone() == (None,)
        administrate("GRANT CREATE ON DATABASE {database} TO {role}")
        postgres.execute("CREATE SCHEMA raw")
        closed = load(mongo_uri, login)
        assert {s.error["code"] for s in closed.summary.streams if s.error} == {"no_privilege"}
        assert "GRANT USAGE, CREATE ON SCHEMA raw" in (closed["t"].error or {})["fix"]
        administrate("GRANT USAGE, CREATE ON SCHEMA raw TO {role}")
        postgres.execute("CREATE TABLE raw.u (mine text)")
        done = load(mongo_uri, login)
        assert done.counts("t") == {"read": 1, "inserted": 1}
        assert done.code("u") == "table_taken"
        taken = load(mongo_uri, login, take_over=True)
        assert taken.code("u") == "no_privilege"
        assert postgres.execute("SELECT count(*) FROM raw.u").fetchone() == (0,)
    finally:
        administrate("DROP OWNED BY {role} CASCADE")
        administrate("DROP ROLE {role}")


def test_nothing_to_select_and_wrong_wishes(mongo: Mongo, sync: Sync, check: Check) -> None:
    mongo["t"].insert_many({"_id": n, "v": n, "long": "x" * 9000 + str(n)} for n in range(3))
    with pytest.raises(LandbridgeError, match="nope"):
        sync(select=["nope"])
    wrong = sync(indexes=("nope",))
    assert wrong.code("t") == "usage"
    done = sync(indexes=("v", "long"))
    assert done.counts("t") == {"read": 3, "inserted": 3}
    check("t")


def test_a_connection_that_drops_in_the_middle_is_made_again(
    mongo: Mongo, postgres: psycopg.Connection, mongo_uri: str, postgres_uri: str, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n, "v": "x" * 200} for n in range(3000))
    cut: list[float] = []

    def cut_once(progress: Progress) -> None:
        if progress.documents and not cut:
            cut.append(time.monotonic())
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <>"
                " pg_backend_pid() AND datname = current_database()"
                " AND backend_type = 'client backend'"
            )

    done = load(mongo_uri, postgres_uri, observer=cut_once)
    assert cut
    assert done.counts("t") == {"read": 3000, "inserted": 3000}
    check("t")
    cut.clear()
    mongo["t"].update_many({"_id": {"$lt": 10}}, {"$set": {"v": "y"}})
    done = load(mongo_uri, postgres_uri, observer=cut_once)
    assert done.counts("t") == {"read": 3000, "updated": 10, "unchanged": 2990}
    check("t")
