"""YAML as a tree whose every part knows its line and its place in the text.

For       Reading a project file, and editing it where it stands.
Touches   Nothing: text in, tree out.
Promises  YAML 1.2: `no`, `12:30` and `010` are what they look like. What stands twice under one
          name is told, not lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from landbridge.errors import ProjectError
from landbridge.model.project import Place

TreeKind = Literal["mapping", "list", "scalar"]

_KIND_OF_TAG = re.compile(r"tag:yaml\.org,2002:(\w+)")
_MERGE = "<<"


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A mapping, a list or a scalar of a file."""

    node: Any
    file: str

    @property
    def place(self) -> Place:
        """Where it begins."""
        return Place(self.file, self.node.start_mark.line + 1)

    @property
    def kind(self) -> TreeKind:
        """What it is made of."""
        if isinstance(self.node, MappingNode):
            return "mapping"
        return "list" if isinstance(self.node, SequenceNode) else "scalar"

    @property
    def is_flow(self) -> bool:
        """Whether it is written between brackets."""
        return bool(getattr(self.node, "flow_style", False))

    @property
    def start(self) -> int:
        """Index of its first character."""
        return int(self.node.start_mark.index)

    @property
    def column(self) -> int:
        """Characters before it in its line."""
        return int(self.node.start_mark.column)

    @property
    def end(self) -> int:
        """Index after its last character, without the comments and blank lines that follow."""
        if self.kind == "scalar" or self.is_flow:
            mark = self.node.end_mark
            if getattr(self.node, "style", None) in ("|", ">"):
                return len(mark.buffer[: mark.index].rstrip())
            return int(mark.index)
        if self.kind == "list":
            return Tree(self.node.value[-1], self.file).end
        return Tree(self.node.value[-1][1], self.file).end

    def entries(self) -> dict[str, tuple[Tree, Tree]]:
        """Return key and value by name; what `<<` merges in comes where the name is not given."""
        own: dict[str, tuple[Tree, Tree]] = {}
        merged: dict[str, tuple[Tree, Tree]] = {}
        for key, value in self.node.value:
            tree = Tree(value, self.file)
            if key.value == _MERGE and tree.kind != "scalar":
                for part in tree.items() if tree.kind == "list" else [tree]:
                    merged = part.entries() | merged
            else:
                own[str(key.value)] = Tree(key, self.file), tree
        return merged | own

    def get(self, name: str) -> Tree | None:
        """Return the value of a key."""
        if self.kind != "mapping":
            return None
        entry = self.entries().get(name)
        return entry[1] if entry else None

    def items(self) -> list[Tree]:
        """Return the items of a list."""
        return [Tree(item, self.file) for item in self.node.value]

    def plain(self) -> Any:
        """Return the value as plain Python."""
        if self.kind == "mapping":
            return {name: value.plain() for name, (_, value) in self.entries().items()}
        if self.kind == "list":
            return [item.plain() for item in self.items()]
        return _scalar(self.node)

    def duplicates(self) -> Iterator[tuple[Place, str]]:
        """Yield what stands more than once under one name, at its later places."""
        if self.kind == "list":
            for item in self.items():
                yield from item.duplicates()
        if self.kind == "mapping":
            seen: dict[str, int] = {}
            for key, value in self.node.value:
                line = key.start_mark.line + 1
                if str(key.value) in seen:
                    first = seen[str(key.value)]
                    yield Place(self.file, line), f"{key.value} stands in line {first} already"
                seen.setdefault(str(key.value), line)
                yield from Tree(value, self.file).duplicates()


def read_tree(text: str, file: str) -> Tree | None:
    """Return the tree of a file; None for an empty one.

    Raises:
        ProjectError: it is not YAML; the error names the line.

    """
    try:
        node: Node | None = YAML(typ="rt").compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = str(error.problem or error.context)
        if "'\\t'" in problem:
            problem = "it is indented by a tab; YAML wants spaces"
        raise not_usable(file, [f"{Place(file, line)}: {problem}"]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise not_usable(file, [f"{file}: {' '.join(str(error).split())}"]) from None
    return None if node is None else Tree(node, file)


def not_usable(file: str, problems: list[str]) -> ProjectError:
    """Return the error that tells what is wrong with a project file."""
    return ProjectError(f"{file} cannot be used", problems, fix="mend these lines")


def _scalar(node: ScalarNode) -> Any:
    text = str(node.value)
    match = _KIND_OF_TAG.match(str(node.tag))
    kind = match[1] if match else "str"
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        digits = text.replace("_", "")
        return int(digits, 0) if re.match(r"[-+]?0[xo]", digits) else int(digits)
    if kind == "float":
        return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    return text
