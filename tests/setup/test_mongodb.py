"""`landbridge setup mongodb`: printed, applied; twice; beside what is there; refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure
from tests.cli.process import Run
from tests.setup.conftest import Server

from landbridge.embedded import MongoServer

Client = pymongo.MongoClient[dict[str, Any]]


@pytest.fixture
def shop(mongo_root: Client, fresh: str) -> str:
    """The name of a database with something in it."""
    mongo_root[f"shop_{fresh}"].orders.insert_one({"_id": 1})
    return f"shop_{fresh}"


def test_the_commands_hold_no_password_and_need_no_server(landbridge: Run) -> None:
    done = landbridge(
        "setup", "mongodb", "--change-streams",
        env={"TAP_MONGODB_PASSWORD": "secret", "MONGO_URI": "mongodb://nowhere/x"},
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
    assert "secret" not in done.stdout
    assert done.stdout.count('[{"role": "read", "db": "carbonLens"}]') == 4
    assert 'pwd: process.env["TAP_MONGODB_PASSWORD"] || passwordPrompt(),' in done.stdout
    assert re.findall(r'getUser\("(\w+)"\)', done.stdout) == ["meltano_reader", "meltano_cdc"]


def test_a_name_with_quotes_is_one_string_in_the_commands(landbridge: Run) -> None:
    user = "\"); db.dropDatabase(); ('` \\ ü"
    done = landbridge("setup", "mongodb", "--reader", user)
    written = re.findall(r"getUser\((.*)\) === null", done.stdout)
    assert [json.loads(text) for text in written] == [user]


def test_applied_twice_it_makes_nothing_the_second_time(
    landbridge: Run, mongo_server: Server, mongo_root: Client, shop: str, fresh: str
) -> None:
    call = (
        "setup", "mongodb", "--from", mongo_server.uri, "--database", shop,
        "--reader", f"tap {fresh}", "--change-streams", f"cdc {fresh}", "--json",
    )  # fmt: skip
    looked = json.loads(landbridge(*call).stdout)
    assert [step["state"] for step in looked["steps"]] == ["missing", "missing"]
    assert mongo_root.admin.command("usersInfo", f"tap {fresh}")["users"] == []

    first = json.loads(landbridge(*call, "--apply").stdout)
    assert [step["state"] for step in first["steps"]] == ["made", "made"]
    for user, password in first["passwords"].items():
        with Client(mongo_server.of(user, password, shop)) as client:
            assert client[shop].orders.find_one() == {"_id": 1}
    before = users(mongo_root)

    second = json.loads(landbridge(*call, "--apply").stdout)
    assert [step["state"] for step in second["steps"]] == ["there", "there"]
    assert second["passwords"] == {}
    assert users(mongo_root) == before

    rotated = json.loads(landbridge(*call, "--apply", "--rotate").stdout)
    for user, password in rotated["passwords"].items():
        with Client(mongo_server.of(user, password, shop)) as client:
            client[shop].command("ping")
        with (
            Client(mongo_server.of(user, first["passwords"][user], shop)) as client,
            pytest.raises(OperationFailure),
        ):
            client[shop].command("ping")


def test_a_user_who_is_there_gets_what_it_lacks_and_keeps_the_rest(
    landbridge: Run, mongo_server: Server, mongo_root: Client, shop: str, fresh: str
) -> None:
    user = f"tap_{fresh}"
    mongo_root.admin.command(
        "createUser", user, pwd="mine", roles=[{"role": "readWrite", "db": "elsewhere"}]
    )
    done = landbridge(
        "setup", "mongodb", "--from", mongo_server.uri, "--database", shop, "--reader", user,
        "--apply", env={"TAP_MONGODB_PASSWORD": "another"},
    )  # fmt: skip
    assert done.returncode == 0
    assert f"the user {user} may do more than it needs: readWrite of elsewhere" in done.stdout
    with Client(mongo_server.of(user, "mine", shop)) as client:
        assert client[shop].orders.find_one() == {"_id": 1}
        client.elsewhere.things.insert_one({})


def test_the_database_of_the_uri_is_the_one_to_read(
    landbridge: Run, mongo_server: Server, shop: str, fresh: str
) -> None:
    uri = mongo_server.uri.replace("/?", f"/{shop}?")
    done = landbridge("setup", "mongodb", "--from", uri, "--reader", f"tap_{fresh}", "--apply")
    assert f"made     user tap_{fresh}, who reads {shop}" in done.stdout


def test_a_database_that_is_not_there_is_refused(
    landbridge: Run, mongo_server: Server, mongo_root: Client, shop: str, fresh: str
) -> None:
    done = landbridge(
        "setup", "mongodb", "--from", mongo_server.uri, "--database", shop.upper(),
        "--reader", f"tap_{fresh}", "--apply",
    )  # fmt: skip
    assert done.returncode == 1
    assert f"there is no database {shop.upper()}" in done.stderr and shop in done.stderr
    assert mongo_root.admin.command("usersInfo", f"tap_{fresh}")["users"] == []


@pytest.mark.parametrize("somebody", [True, False])
def test_who_is_no_administrator_is_told_so(
    landbridge: Run,
    mongo_server: Server,
    mongo_root: Client,
    shop: str,
    fresh: str,
    somebody: bool,
) -> None:
    uri = mongo_server.of("x", "y", shop).replace("x:y@", "")
    if somebody:
        mongo_root.admin.command(
            "createUser", f"dev_{fresh}", pwd="dev", roles=[{"role": "readWrite", "db": shop}]
        )
        uri = mongo_server.of(f"dev_{fresh}", "dev", shop)
    else:
        uri = uri.replace("&authSource=admin", "")
    done = landbridge("setup", "mongodb", "--from", uri, "--reader", f"tap_{fresh}", "--apply")
    assert done.returncode == 1
    assert "is not an administrator of users" in done.stderr
    assert "password of" not in done.stdout + done.stderr


def test_a_server_without_authentication_is_named(
    landbridge: Run, mongod: MongoServer, fresh: str
) -> None:
    user, shop = f"tap_{fresh}", f"shop_{fresh}"
    with Client(mongod.uri) as client:
        client[shop].orders.insert_one({})
        done = landbridge(
            "setup", "mongodb", "--from", mongod.uri, "--database", shop, "--reader", user,
            "--apply",
        )  # fmt: skip
        client.drop_database(shop)
        client.admin.command("dropUser", user)
    assert "note: this server lets everybody do everything" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--reader", "a", "--change-streams", "a"), "have two names"),
        (("--reader", "a\u2028b"), "that can't be seen"),
        (("--from", "postgresql://h/d"), "this version copies"),
        (("--apply",), "neither --from nor MONGO_URI"),
    ],
)
def test_wrong_use_is_told_before_anything_is_touched(
    landbridge: Run, arguments: tuple[str, ...], why: str
) -> None:
    done = landbridge("setup", "mongodb", *arguments)
    assert done.returncode in (1, 2)
    assert why in done.stderr and "Traceback" not in done.stderr


def users(root: Client) -> Any:
    return list(root.admin["system.users"].find(sort=[("_id", 1)]))
