"""What a replication key may be called.

For       Every command that takes `--key`.
Touches   Nothing.
Promises  What passes is a field of documents, and no operator of a query.
"""

from __future__ import annotations

from landbridge.errors import UsageError


def check_key(key: str) -> None:
    """Refuse what is not the name of a field, or a path of names with dots between them.

    Raises:
        UsageError: it is empty, has an empty part, or begins with `$`.

    """
    parts = key.split(".")
    if "" in parts or any(part.startswith("$") for part in parts) or "\0" in key:
        raise UsageError(
            f"{key!r} is not the name of a field",
            why="a key is a field, or a path of fields with dots between them",
            fix="name one, such as updatedAt or meta.changed",
        )
