"""One pass over the files of a project: problems and remarks are gathered, and reading goes on.

For       The parts that read plugins, jobs and schedules.
Touches   Nothing.
Promises  What has another form than it should is a problem with its line, and reads as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from landbridge.config.tree import Tree
from landbridge.config.variables import Variable
from landbridge.model.project import Place, Remark

_SHAPES = {"mapping": "keys with values", "list": "a list", "scalar": "one value"}


@dataclass(slots=True)
class Reading:
    """What came to light so far."""

    problems: list[tuple[Place, str]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def problem(self, place: Place, text: str) -> None:
        """Note what makes the file unusable."""
        self.problems.append((place, text))

    def remark(self, place: Place, text: str) -> None:
        """Note what has no effect."""
        self.remarks.append(Remark(place, text))

    def mapping(self, tree: Tree | None, name: str) -> dict[str, tuple[Tree, Tree]]:
        """Return the entries of a mapping; an empty value has none."""
        if tree is None or (tree.kind == "scalar" and tree.plain() is None):
            return {}
        if tree.kind != "mapping":
            self.problem(tree.place, f"{name} should be {_SHAPES['mapping']}")
            return {}
        return tree.entries()

    def items(self, tree: Tree | None, name: str) -> list[Tree]:
        """Return the items of a list; an empty value has none."""
        if tree is None or (tree.kind == "scalar" and tree.plain() is None):
            return []
        if tree.kind != "list":
            self.problem(tree.place, f"{name} should be {_SHAPES['list']}")
            return []
        return tree.items()

    def text(self, tree: Tree | None, name: str) -> str:
        """Return a text; nothing for an empty value."""
        if tree is None:
            return ""
        if tree.kind != "scalar":
            self.problem(tree.place, f"{name} should be {_SHAPES['scalar']}")
            return ""
        value = tree.plain()
        if value is None:
            return ""
        return str(tree.node.value)

    def variables(self, tree: Tree | None) -> dict[str, Variable]:
        """Return what an `env:` sets."""
        return {
            name: Variable(self.text(value, name), str(value.place))
            for name, (_, value) in self.mapping(tree, "env").items()
        }

    def pass_over(self, tree: Tree, known: Iterable[str], what: str) -> None:
        """Remark on the keys of a mapping that nothing looks at."""
        for name, (key, _) in self.mapping(tree, what).items():
            if name not in known:
                self.remark(key.place, f"{name} of {what} has no effect")

    def named(self, items: Sequence[Tree], what: str) -> list[tuple[str, Tree]]:
        """Return the items of a list by their `name`; none without a name, and none twice."""
        found: dict[str, Tree] = {}
        for item in items:
            if item.kind != "mapping":
                self.problem(item.place, f"{what} should be {_SHAPES['mapping']}, its name first")
                continue
            name = self.text(item.get("name"), "name")
            if not name:
                self.problem(item.place, f"{what} has no name")
            elif name in found:
                self.problem(item.place, f"{what} {name} is there already, {found[name].place}")
            else:
                found[name] = item
        return list(found.items())
