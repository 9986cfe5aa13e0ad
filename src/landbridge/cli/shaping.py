"""How tables are shaped, and what is taken care of: options that `sync` and `import` share.

For       The verbs that make tables of landbridge's own.
Touches   Nothing.
Promises  Each option is one of `model.settings`, under its name and with its default.
"""

from __future__ import annotations

import click

from landbridge.cli.command import Decorated, byte_size, choice, option
from landbridge.model import settings as choices
from landbridge.model.settings import Settings

SHAPE, CARE = "Shape of the tables", "Care"
COLUMNS_MAX = 1500  # PostgreSQL's 1,600 less what landbridge adds and what variants may need.
DEFAULTS = Settings()

_SHAPE_OPTIONS = (
    option(
        "--types",
        type=choice(choices.Types),
        default=DEFAULTS.types,
        show_default=True,
        group=SHAPE,
        help="precise: the column that fits each BSON type. simple: few types.",
    ),
    option(
        "--names",
        type=choice(choices.Names),
        default=DEFAULTS.names,
        show_default=True,
        group=SHAPE,
        help="How names become column names: siteName to sitename, site_name, siteName.",
    ),
    option(
        "--flatten-depth",
        type=click.IntRange(0, 100),
        default=DEFAULTS.flatten_depth,
        show_default=True,
        metavar="N",
        group=SHAPE,
        help="Levels of objects that become columns; deeper ones are jsonb.",
    ),
    option(
        "--separator",
        default=DEFAULTS.separator,
        show_default=True,
        metavar="S",
        group=SHAPE,
        help="What stands between the parts of a flattened name.",
    ),
    option(
        "--arrays",
        type=choice(choices.Arrays),
        default=DEFAULTS.arrays,
        show_default=True,
        group=SHAPE,
        help="Keep arrays in a jsonb column, or as rows of a table of their own.",
    ),
    option(
        "--nested",
        type=choice(choices.Nested),
        default=DEFAULTS.nested,
        show_default=True,
        group=SHAPE,
        help="Values inside jsonb: plain for people, or extended JSON.",
    ),
    option(
        "--ids",
        type=choice(choices.Ids),
        default=DEFAULTS.ids,
        show_default=True,
        group=SHAPE,
        help="ObjectIds as 24 hex digits, or as 12 bytes.",
    ),
    option(
        "--raw",
        type=choice(choices.Raw),
        default=DEFAULTS.raw,
        show_default=True,
        group=SHAPE,
        help="Keep the whole document beside the columns; bson is exact to the byte.",
    ),
    option(
        "--metadata", is_flag=True, group=SHAPE, help="Add the columns _sdc_extracted_at and so on."
    ),
    option(
        "--columns-max",
        type=click.IntRange(1, COLUMNS_MAX),
        default=DEFAULTS.columns_max,
        show_default=True,
        metavar="N",
        group=SHAPE,
        help="Fields past this many columns stay together in the jsonb column _rest.",
    ),
)

_CARE_OPTIONS = (
    option(
        "--contract",
        type=choice(choices.Contract),
        default=DEFAULTS.contract,
        show_default=True,
        group=CARE,
        help="A field that the table lacks: add its column (evolve), stop (freeze), "
        "set the document aside (quarantine), or leave the value out and count it (discard).",
    ),
    option(
        "--nul",
        type=choice(choices.Nul),
        default=DEFAULTS.nul,
        show_default=True,
        group=CARE,
        help="A NUL character, which PostgreSQL's text can't hold: set the document aside, or "
        "escape it.",
    ),
    option(
        "--max-delete-share",
        type=click.FloatRange(0, 100),
        default=DEFAULTS.max_delete_share_percent,
        show_default=True,
        metavar="P",
        group=CARE,
        help="Refuse to delete more than P percent of a table, where that is over 1,000 rows.",
    ),
    option(
        "--rewrite-limit",
        type=byte_size,
        default="1GB",
        show_default=True,
        metavar="BYTES",
        group=CARE,
        help="Change a column's type only in tables up to this size; a larger one gets "
        "a column beside it.",
    ),
    option(
        "--take-over",
        is_flag=True,
        group=CARE,
        help="Write into tables of these names that landbridge did not make.",
    ),
)


def shape_options(command: Decorated) -> Decorated:
    """Add the options that decide a table's columns."""
    for add in reversed(_SHAPE_OPTIONS):
        command = add(command)
    return command


def care_options(command: Decorated) -> Decorated:
    """Add the options about what does not fit, and what is not to be lost."""
    for add in reversed(_CARE_OPTIONS):
        command = add(command)
    return command
