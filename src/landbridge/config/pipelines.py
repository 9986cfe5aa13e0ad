"""Jobs and schedules: which plugins run after one another, and when.

For       `project.read_project`, and tasks that are given at the command line.
Touches   Nothing.
Promises  A name that nothing in the project has, and an interval that is none, are problems with
          their line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from landbridge.config import intervals
from landbridge.config.reading import Reading
from landbridge.config.tree import Tree
from landbridge.model.project import Job, Place, Schedule

_SCHEDULE_KEYS = ("name", "interval", "job", "extractor", "loader", "env")


def read_jobs(reading: Reading, items: Sequence[Tree], kinds: Mapping[str, str]) -> list[Job]:
    """Return the jobs; `kinds` are the kinds of all that a task may name."""
    jobs = []
    for name, tree in reading.named(items, "job"):
        reading.pass_over(tree, ("name", "tasks", "annotations"), f"the job {name}")
        if name in kinds:
            reading.problem(tree.place, f"job {name} has the name of one of the {kinds[name]}")
        tasks = []
        for item in reading.items(tree.get("tasks"), "tasks"):
            blocks = tuple(_words(reading, item))
            for problem in problems_of_blocks(blocks, kinds):
                reading.problem(item.place, f"job {name}: {problem}")
            if blocks:
                tasks.append(blocks)
        if not tasks:
            reading.problem(tree.place, f"job {name} has no tasks")
        jobs.append(Job(name, tuple(tasks), tree.place))
    return jobs


def problems_of_blocks(blocks: Iterable[str], kinds: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the blocks of a task, in words."""
    problems = []
    waiting = ""
    for block in blocks:
        kind = kinds.get(block.partition(":")[0])
        if kind is None:
            problems.append(f"there is no plugin {block}")
            waiting = ""
        elif kind == "extractors":
            if waiting:
                problems.append(f"after the extractor {waiting} comes no loader")
            waiting = block
        elif kind == "loaders":
            if not waiting:
                problems.append(f"before the loader {block} comes no extractor")
            waiting = ""
    if waiting:
        problems.append(f"after the extractor {waiting} comes no loader")
    return problems


def read_schedules(
    reading: Reading, items: Sequence[Tree], jobs: Sequence[Job], kinds: Mapping[str, str]
) -> list[Schedule]:
    """Return the schedules."""
    schedules = []
    for name, tree in reading.named(items, "schedule"):
        reading.pass_over(tree, _SCHEDULE_KEYS, f"the schedule {name}")
        values = {key: reading.text(tree.get(key), key) for key in _SCHEDULE_KEYS[:-1]}
        place_of = {key: (tree.get(key) or tree).place for key in _SCHEDULE_KEYS}
        if problem := intervals.problem_of(values["interval"]):
            reading.problem(place_of["interval"], f"schedule {name}: {problem}")
        _check_what(reading, name, values, place_of, jobs, kinds)
        schedules.append(
            Schedule(
                **values,
                env={key: one.value for key, one in reading.variables(tree.get("env")).items()},
                place=tree.place,
            )
        )
    return schedules


def _check_what(
    reading: Reading,
    name: str,
    values: Mapping[str, str],
    place_of: Mapping[str, Place],
    jobs: Sequence[Job],
    kinds: Mapping[str, str],
) -> None:
    if values["job"]:
        if all(job.name != values["job"] for job in jobs):
            reading.problem(place_of["job"], f"schedule {name}: there is no job {values['job']}")
        return
    for key in ("extractor", "loader"):
        if kinds.get(values[key]) != f"{key}s":
            named = f"there is no {key} {values[key]}" if values[key] else f"it names no {key}"
            reading.problem(place_of[key], f"schedule {name}: {named}")


def _words(reading: Reading, tree: Tree) -> list[str]:
    """Return the blocks of a task: words of a text, or of the texts of a list, however deep."""
    if tree.kind == "list":
        return [word for item in tree.items() for word in _words(reading, item)]
    return reading.text(tree, "task").split()
