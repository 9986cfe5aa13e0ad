"""A schema file describes the tables that its migration makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from landbridge.errors import SchemaFileError
from landbridge.mapping.prisma import read_prisma
from landbridge.model.relational import RelationalTable
from landbridge.postgres.relational import read_schema

FOLDER = Path(__file__).parent.parent / "realestate"
SCHEMA = (FOLDER / "schema.prisma").read_text()


def test_same_as_the_catalogue_after_the_migration(postgres: psycopg.Connection[Any]) -> None:
    postgres.execute((FOLDER / "schema.sql").read_text())
    live = read_schema(postgres, "public")
    read = read_prisma({"schema.prisma": SCHEMA}).schema
    assert live is not None
    assert [table.name for table in read.tables] == [table.name for table in live.tables]
    for ours, theirs in zip(read.tables, live.tables, strict=True):
        for column, other in zip(ours.columns, theirs.columns, strict=True):
            assert column == other
        assert ours == theirs
    assert read == live


def test_what_only_the_client_knows() -> None:
    made = read_prisma({"schema.prisma": SCHEMA}).generators
    assert made["Property", "id"] == "cuid" and made["Inquiry", "id"] == "uuid"
    assert ("User", "id") not in made and ("Lead", "id") not in made


def table(text: str, name: str = "T") -> RelationalTable:
    found = read_prisma({"x.prisma": text}, "app").schema.table(name)
    assert found is not None
    return found


def test_names_types_and_defaults() -> None:
    found = table(
        """
        /* A table with
           much in it. */
        model Thing {
          a   Int       @default(-3) @map("alpha") // the number
          b   String    @default("it's \\"so\\"") @db.VarChar(20)
          c   Decimal?  @db.Decimal(8)
          d   DateTime? @db.Timestamptz(6)
          e   String[]  @default([])
          f   Unsupported("tsvector")?
          g   Bytes     @unique(map: "only_g")
          h   Boolean   @default(false)
          i   Int[]     @default([1, 2])

          @@id([a, b(length: 10, sort: Desc)],
               name: "both",
               map: "pk")
          @@index([c])
          @@map("T")
        }
        """
    )
    assert found.name.schema == "app"
    shown = [(one.name, one.type, one.nullable, one.default) for one in found.columns]
    assert shown == [
        ("alpha", "integer", False, "-3"),
        ("b", "character varying(20)", False, "'it''s \"so\"'::character varying(20)"),
        ("c", "numeric(8,0)", True, None),
        ("d", "timestamp(6) with time zone", True, None),
        ("e", "text[]", True, "ARRAY[]::text[]"),
        ("f", "tsvector", True, None),
        ("g", "bytea", False, None),
        ("h", "boolean", False, "false"),
        ("i", "integer[]", True, "ARRAY[1, 2]"),
    ]
    assert [(key.name, key.columns, key.primary) for key in found.keys] == [
        ("pk", ("alpha", "b"), True),
        ("only_g", ("g",), False),
    ]


def test_lists_on_both_sides_have_a_table() -> None:
    text = """
    model Post { id Int @id @default(autoincrement())
      tags Tag[]
    }
    model Tag { id String @id @default(cuid())
      posts Post[]
    }
    """
    join = table(text, "_PostToTag")
    assert [(one.name, one.base) for one in join.columns] == [("A", "integer"), ("B", "text")]
    assert [key.target.name for key in join.foreign_keys] == ["Post", "Tag"]
    assert read_prisma({"x": text}).generators == {("Tag", "id"): "cuid"}


def test_several_files_and_schemas() -> None:
    files = {
        "a.prisma": """
            model User {
              id    Int     @id
              role  Role
              total Total?
              @@schema("auth")
            }
            enum Role {
              A
              @@schema("auth")
            }
        """,
        "b.prisma": """
            model Post {
              id   Int  @id
              user User @relation(fields: [by], references: [id])
              by   Int
            }
            view Total {
              id   Int @unique
              user User
            }
        """,
    }
    public, auth = (read_prisma(files, name).schema for name in ("public", "auth"))
    assert [table.name.name for table in public.tables] == ["Post"]
    assert [table.name.name for table in auth.tables] == ["Post", "User"]
    (key,) = public.tables[0].foreign_keys
    assert str(key.target) == "auth.User"
    with pytest.raises(SchemaFileError) as caught:
        read_prisma({**files, "c.prisma": "\nmodel C { id Nix @id\n}"})
    assert caught.value.what == "cannot read c.prisma, line 2"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("model A {\n  id Int @id\n  b Strang\n}", 3, "Strang is neither"),
        ("model A {\n  id Int @id\n", 3, "the end of the file"),
        ("model A {\n  id Int @id @default(\n}", 3, "a value"),
        ('model A {\n id String @id @default("x)\n}', 2, "doesn't end"),
        ("modul A {\n}", 1, "`modul`"),
        ('datasource db {\n provider = "mongodb"\n}', 1, "its provider is mongodb"),
        ("type A {\n x Int\n}", 1, "composite"),
        ("model A {\n id Int @id\n\n @@unique([nix])\n}", 4, "no field nix"),
        ("enum E {\n X\n}\nmodel A {\n id Int @id\n e E @default(Y)\n}", 6, "no label Y"),
        ("model A {\n id Int @id @db.Blob\n}", 2, "no type @db.Blob"),
        ("model A {\n id Int @id # what\n}", 2, "'#'"),
        ("model A {\n id Int @id\n b String @db.VarChar(x)\n}", 3, "is no number"),
        ("", 1, "no model"),
    ],
)
def test_errors_name_their_line(text: str, line: int, why: str) -> None:
    with pytest.raises(SchemaFileError) as caught:
        read_prisma({"my.prisma": text})
    assert caught.value.what == f"cannot read my.prisma, line {line}"
    assert why in caught.value.why
