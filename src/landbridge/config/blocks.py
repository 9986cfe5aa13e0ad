"""What was named to be run, as pairs of an extractor and a loader.

For       `run`.
Touches   Nothing.
Promises  Names that do not make pairs are an error before anything is run, and so are a plugin
          that does not run here and a setting that can't be read.
"""

from __future__ import annotations

from collections.abc import Sequence

from landbridge.config import native
from landbridge.config.pipelines import problems_of_blocks
from landbridge.errors import UnsupportedError, UsageError
from landbridge.model.project import Plugin, Project


def pairs_of(project: Project, words: Sequence[str]) -> list[tuple[Plugin, Plugin]]:
    """Return the pairs that names of plugins and of jobs stand for, in their order.

    Raises:
        UsageError: a name is not known, an extractor has no loader, a setting can't be read.
        UnsupportedError: something that is named does not run yet.

    """
    blocks = [block for word in words for block in _blocks(project, word)]
    kinds = {one.name: one.kind for one in project.foreign}
    kinds |= {one.name: str(one.kind) for one in project.plugins}
    problems = problems_of_blocks(blocks, kinds)
    if problems:
        known = [*(one.name for one in project.plugins), *(one.name for one in project.jobs)]
        raise UsageError(
            f"cannot run {' '.join(words)}",
            why="; ".join(problems),
            fix=f"name an extractor and a loader, or a job: {', '.join(known) or 'none yet'}",
        )
    plugins: list[Plugin] = []
    for block in blocks:
        plugin = project.plugin(block)
        if plugin is None:
            name = block.partition(":")[0]
            other = next(one for one in project.foreign if one.name == name)
            raise UnsupportedError(
                f"{block} does not run yet",
                why=f"{other.place}: it is one of the {other.kind}",
                fix="leave it out of what is run here",
            )
        native.check_native(plugin)
        plugins.append(plugin)
    for plugin in plugins:
        native.check_settings(plugin)
    return list(zip(plugins[::2], plugins[1::2], strict=True))


def _blocks(project: Project, word: str) -> list[str]:
    job = project.job(word)
    if job is None:
        return word.split()
    return [block for task in job.tasks for block in task]
