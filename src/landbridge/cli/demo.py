"""`landbridge demo`: the whole thing on servers of its own, told step by step.

For       A newcomer's first minute.
Touches   A mongod and a PostgreSQL that it starts for itself, on loopback, in temporary folders;
          or those that LANDBRIDGE_TEST_MONGODB and LANDBRIDGE_TEST_POSTGRES name, where it makes
          databases of its own and removes them.
Promises  Nothing is left behind. What it prints is what happened: every figure comes from the run.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landbridge.cli.command import Command, debug_option, option
from landbridge.cli.text import count_of, duration
from landbridge.errors import EmbeddedError, StreamsFailedError, redact

if TYPE_CHECKING:
    from landbridge.model.summary import StreamSummary, Summary

TARGET_DATABASE = "carbon_lens_bi"
PROVEN_SHOWN = 5  # collections, the largest
ROWS_SHOWN_MAX = 8
TITLE_WIDTH = 96
INSERTED, UPDATED, DELETED = 25, 40, 10

BI_QUERY = """\
SELECT
    s.siteName,
    sc.year,
    sc.month,
    SUM(sc.calculatedEmission) as total_emissions
FROM carbonlens.stationarycombustions sc
JOIN carbonlens.sites s ON sc.siteId = s._id
WHERE sc.approved = 'approved'
GROUP BY s.siteName, sc.year, sc.month
ORDER BY sc.year, sc.month;"""

COUNT_QUERY = """\
SELECT
    schemaname,
    relname as table_name,
    n_live_tup as row_count
FROM pg_stat_user_tables
WHERE schemaname = 'carbonlens'
ORDER BY n_live_tup DESC;"""

CITY_QUERY = """\
SELECT ci.name, co.name AS country, ci.population, ci.alternatenames ->> 0 AS also_called
FROM geonames.cities ci
JOIN geonames.countries co ON ci.countrycode = co._id
ORDER BY ci.population DESC;"""


@click.command(cls=Command)
@option("--keep", is_flag=True, help="Keep the servers up until Ctrl-C, to look around with psql.")
@debug_option
def demo(keep: bool) -> None:
    """Show it all on servers of its own, with sample data.

    Starts a MongoDB and a PostgreSQL, fills the MongoDB with the 25 collections of a
    carbon-accounting application and with the cities of GeoNames, brings them over, changes some
    documents, brings the changes over, compares every document with its row, and asks a question
    in SQL. Nothing is left behind.

    \b
    Examples:
      landbridge demo
      landbridge demo --keep
    """
    from landbridge.embedded import carbon, cities, servers

    began = time.monotonic()
    step("Starting a MongoDB and a PostgreSQL, in temporary folders")
    with servers() as (mongo, postgres), borrowed(mongo.uri, postgres) as target:
        click.echo(f"up in {duration(time.monotonic() - began)}")

        step("Filling the MongoDB")
        fill(mongo.uri, carbon.DATABASE, carbon.collections(), "a carbon-accounting application")
        fill(mongo.uri, cities.DATABASE, cities.collections(), cities.ATTRIBUTION)

        step("First sync: every collection becomes a table")
        command(f"landbridge sync --from mongodb://…/{carbon.DATABASE} --to postgresql://…")
        show(sync(mongo.uri, carbon.DATABASE, target))
        explain_quarantine(target)
        click.echo()
        command(f"landbridge sync --from mongodb://…/{cities.DATABASE} --to postgresql://…")
        show(sync(mongo.uri, cities.DATABASE, target))

        step("The application goes on: some documents change")
        click.echo(change(mongo.uri))

        step("Second sync: the same command, and only the rows that differ are written")
        command(f"landbridge sync --from mongodb://…/{carbon.DATABASE} --to postgresql://…")
        show(sync(mongo.uri, carbon.DATABASE, target), changed_only=True)

        step("Proof: every field of every document is read again and compared")
        for database in (carbon.DATABASE, cities.DATABASE):
            command(
                f"landbridge verify --mode full --from mongodb://…/{database} --to postgresql://…"
            )
            prove(mongo.uri, database, target)

        step("Asking PostgreSQL")
        ask(target, BI_QUERY)
        ask(target, COUNT_QUERY)
        ask(target, CITY_QUERY)

        step(f"Done in {duration(time.monotonic() - began)}")
        if keep:
            stay(mongo.uri, target)
        else:
            click.echo("To look around with psql while the servers are up:  landbridge demo --keep")
    click.echo("The servers are stopped and their data is gone.")
    click.echo()
    click.echo("Where to go next, with data of your own:")
    click.echo(
        "  landbridge sync --from mongodb://HOST/DATABASE --to postgresql://HOST/DATABASE --dry-run"
    )
    click.echo("  landbridge sync --help")


@contextmanager
def borrowed(mongo_uri: str, postgres: Any) -> Iterator[str]:
    """Make the target's database, and give a server that is not ours back as it was."""
    import psycopg
    from psycopg import sql

    from landbridge.embedded import carbon, cities

    if "LANDBRIDGE_TEST_MONGODB" in os.environ:
        with client_of(mongo_uri) as client:
            taken = {carbon.DATABASE, cities.DATABASE} & set(client.list_database_names())
        if taken:
            raise EmbeddedError(
                "the demo would mix with other data",
                why=f"the server of LANDBRIDGE_TEST_MONGODB has a database {min(taken)} already",
                fix="unset LANDBRIDGE_TEST_MONGODB, so that the demo starts a server of its own",
            )
    try:
        target = postgres.create_database(TARGET_DATABASE)
    except psycopg.errors.DuplicateDatabase:
        raise EmbeddedError(
            "the demo would mix with other data",
            why=f"the server of LANDBRIDGE_TEST_POSTGRES has a database {TARGET_DATABASE} already",
            fix="unset LANDBRIDGE_TEST_POSTGRES, so that the demo starts a server of its own",
        ) from None
    try:
        yield target
    finally:
        if "LANDBRIDGE_TEST_MONGODB" in os.environ:
            with client_of(mongo_uri) as client:
                client.drop_database(carbon.DATABASE)
                client.drop_database(cities.DATABASE)
        if "LANDBRIDGE_TEST_POSTGRES" in os.environ:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(TARGET_DATABASE))
            with psycopg.connect(postgres.uri, autocommit=True) as connection:
                connection.execute(drop)


def client_of(uri: str) -> Any:
    """Return a MongoDB client."""
    from pymongo import MongoClient

    return MongoClient(uri)


def fill(
    uri: str, database: str, collections: Iterable[tuple[str, Sequence[Any]]], origin: str
) -> None:
    """Insert the collections, and say how much it was."""
    count = documents = 0
    with client_of(uri) as client:
        for name, content in collections:
            client[database][name].insert_many(content, ordered=False)
            count, documents = count + 1, documents + len(content)
    click.echo(
        f"{database}: {count_of(count, 'collection')}, {count_of(documents, 'document')} ({origin})"
    )


def sync(mongo_uri: str, database: str, target: str) -> Summary:
    """Bring a database over, as the command line does."""
    from landbridge import bridge
    from landbridge.cli.progress import shown_progress

    with shown_progress() as observer:
        summary = bridge.sync(with_database(mongo_uri, database), target, observer=observer)
    if summary.error is not None:
        raise StreamsFailedError(
            f"the demo could not bring {database} over",
            why=summary.error["message"],
            fix="run it again with --debug, and report what it prints",
        )
    return summary


def prove(mongo_uri: str, database: str, target: str) -> None:
    """Compare a database with its tables, as the command line does; only what is not equal stops.

    Equal collections share a line: the counts of each stand in the reports of the syncs.
    """
    from landbridge import bridge
    from landbridge.cli.verdict import count_line, verdict_line

    verification = bridge.verify(with_database(mongo_uri, database), target, mode="full")
    largest = sorted(verification.streams, key=lambda one: -one.source_count)[:PROVEN_SHOWN]
    for stream in verification.streams:
        if stream in largest or stream.status != "equal" or stream.quarantined:
            click.echo(count_line(stream))
    click.echo(verdict_line(verification))
    click.echo()
    if verification.status != "equal":
        raise StreamsFailedError(
            f"the tables of {database} are not what its collections are",
            why=f"the verification found {verification.status}",
            fix="run it again with --debug, and report what it prints",
        )


def with_database(uri: str, database: str) -> str:
    """Return a MongoDB URI that names a database."""
    from urllib.parse import urlsplit

    return urlsplit(uri)._replace(path=f"/{database}").geturl()


def show(summary: Summary, changed_only: bool = False) -> None:
    """Print the counts of a run; with `changed_only` those without changes share a line."""
    from landbridge.cli.report import rate, remarks, show_counts

    show_counts(without_quiet_streams(summary) if changed_only else summary)
    for line in remarks(summary):
        click.echo(line)
    click.echo(rate(sum(stream.tally.read for stream in summary.streams), summary.seconds))


def without_quiet_streams(summary: Summary) -> Summary:
    """Return the summary with the streams that wrote nothing counted as one."""
    from dataclasses import replace

    from landbridge.cli.report import sum_of

    loud: list[StreamSummary] = []
    quiet: list[StreamSummary] = []
    for stream in summary.streams:
        tally = stream.tally
        (loud if tally.inserted or tally.updated or tally.deleted else quiet).append(stream)
    if quiet:
        name = f"{len(quiet)} others"
        others = replace(
            quiet[0],
            collection=name,
            target_table=name,
            tally=sum_of(stream.tally for stream in quiet),
            seconds=sum(stream.seconds for stream in quiet),
        )
        loud.append(others)
    return replace(summary, streams=tuple(loud))


def explain_quarantine(target: str) -> None:
    """Show what was set aside, if anything was."""
    from landbridge import bridge
    from landbridge.cli.report import show_entries

    entries = bridge.list_quarantine(target)
    if entries:
        click.echo()
        click.echo("What a table cannot hold exactly is set aside whole, and never cut or lost:")
        command("landbridge quarantine list --to postgresql://…")
        show_entries(entries)


def change(uri: str) -> str:
    """Insert, update and delete documents at the source; return what was done, in words."""
    from bson import ObjectId

    from landbridge.embedded import carbon

    with client_of(uri) as client:
        records = client[carbon.DATABASE]["stationarycombustions"]
        some = list(records.find().sort("_id").limit(INSERTED + UPDATED + DELETED))
        new, changed, gone = (
            some[:INSERTED],
            [document["_id"] for document in some[INSERTED : INSERTED + UPDATED]],
            [document["_id"] for document in some[INSERTED + UPDATED :]],
        )
        records.insert_many(
            [{**document, "_id": ObjectId(), "verifiedBy": "TÜV"} for document in new]
        )
        records.update_many({"_id": {"$in": changed}}, {"$inc": {"calculatedEmission": 1.5}})
        records.delete_many({"_id": {"$in": gone}})
    return (
        f"stationarycombustions: {INSERTED} inserted, with a new field verifiedBy; "
        f"{UPDATED} updated; {DELETED} deleted"
    )


def ask(target: str, query: str) -> None:
    """Print a query and the first rows of its answer."""
    import psycopg
    from rich.text import Text

    from landbridge.cli.report import print_table, ruled_table

    began = time.monotonic()
    with psycopg.connect(target) as connection:
        cursor = connection.execute(query.encode())
        rows = cursor.fetchall()
        columns = [column.name for column in cursor.description or ()]
    seconds = time.monotonic() - began

    click.echo()
    for line in query.splitlines():
        click.echo(click.style(line, fg="cyan"))
    table = ruled_table()
    for position, name in enumerate(columns):
        numbers = bool(rows) and isinstance(rows[0][position], (int, float))
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in rows[:ROWS_SHOWN_MAX]:
        table.add_row(*(Text(shown(value)) for value in row))
    print_table(table)
    more = len(rows) - ROWS_SHOWN_MAX
    if more > 0:
        click.echo(f"and {more:,} more; {count_of(len(rows), 'row')} in {seconds * 1000:,.0f} ms")


def shown(value: object) -> str:
    """Return a value of an answer as a person reads it."""
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def stay(mongo_uri: str, target: str) -> None:
    """Say how to connect, and wait for Ctrl-C."""
    import psycopg

    with psycopg.connect(target) as connection:
        info = connection.info
        address = f"-h {info.host} -p {info.port} -U {info.user} -d {info.dbname}"
        password = info.password.replace("\\", "\\\\").replace(":", "\\:")
    with tempfile.TemporaryDirectory(prefix="landbridge-demo-") as folder:
        # A file that only we may read, so that the password is not on the screen.
        passwords = Path(folder) / "pgpass"
        passwords.touch(mode=0o600)
        passwords.write_text(f"*:*:*:*:{password}\n")
        click.echo("The servers stay up until Ctrl-C. In another terminal:")
        click.echo()
        click.echo(f"  export PGPASSFILE={shlex.quote(str(passwords))}")
        click.echo(f"  psql {address}")
        click.echo(f"  mongosh {shlex.quote(redact(mongo_uri))}")
        click.echo()
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            click.echo()


def step(title: str) -> None:
    """Print the heading of a step."""
    click.echo()
    click.secho(f"━━ {title} ".ljust(TITLE_WIDTH, "━"), bold=True)


def command(line: str) -> None:
    """Print a command that does what the demo does next."""
    click.echo(click.style(f"$ {line}", fg="green"))
