"""The values of a plugin's settings, read as what they should be.

For       The translation of a plugin to a sync.
Touches   Nothing.
Promises  A value of another kind, and one that names a variable that nothing sets, is an error
          that says where it stands. A value that is a secret is never in the error.
"""

from __future__ import annotations

from collections.abc import Sequence

from landbridge.config.known import shown
from landbridge.errors import UsageError
from landbridge.model.project import Plugin, Setting

_TRUE = ("true", "1", "yes", "on", "t", "y")
_FALSE = ("false", "0", "no", "off", "f", "n", "")


def setting(plugin: Plugin, *names: str) -> Setting | None:
    """Return the first of some settings that has a value; an empty text is none."""
    for name in names:
        found = plugin.config.get(name)
        if found is None or found.value is None or found.value == "":
            continue
        if found.missing:
            raise _unset(plugin, found)
        return found
    return None


def text(plugin: Plugin, *names: str) -> str:
    """Return the text of the first of some settings that has one; nothing where none has."""
    found = setting(plugin, *names)
    return "" if found is None else str(found.value)


def boolean(plugin: Plugin, *names: str) -> bool | None:
    """Return a yes or no; None where none is given."""
    found = setting(plugin, *names)
    if found is None:
        return None
    word = str(found.value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise wrong(plugin, found, ("true", "false"))


def integer(plugin: Plugin, *names: str) -> int | None:
    """Return a number that is not negative; None where none is given."""
    found = setting(plugin, *names)
    if found is None:
        return None
    word = str(found.value).strip()
    if not word.isdecimal():
        raise wrong(plugin, found, ("a number such as 1",))
    return int(word)


def wrong(plugin: Plugin, found: Setting, instead: Sequence[str]) -> UsageError:
    """Return the error that says what a setting may be."""
    value = shown(found.name, found.value, secret=found.secret)
    return UsageError(
        f"{plugin.name}: {found.name} cannot be {value!r}",
        why=f"{found.origin} sets it; it is {', '.join(instead)}",
        fix=f"landbridge config {plugin.name} set {found.name} {instead[0]}",
    )


def _unset(plugin: Plugin, found: Setting) -> UsageError:
    names = " and ".join(found.missing)
    return UsageError(
        f"{plugin.name}: {found.name} has no value",
        why=f"{found.origin} names {names}, which neither the environment nor .env sets",
        fix=f"export {found.missing[0]}=…, or write it into .env",
    )
