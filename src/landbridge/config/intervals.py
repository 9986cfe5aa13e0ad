"""When something is to run: the five fields of cron, or a word such as `@hourly`.

For       `schedules` of a project file, and `schedule add`.
Touches   Nothing.
Promises  What passes has a next time, or is one of the words that never run by themselves.
"""

from __future__ import annotations

from datetime import UTC, datetime

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
NEVER = ("@manual", "@none", "@once")


def problem_of(interval: str) -> str:
    """Return what is wrong with an interval; nothing where it is right."""
    if interval in NEVER or interval in ALIASES:
        return ""
    if interval.startswith("@"):
        return f"{interval} is not one of {', '.join([*ALIASES, *NEVER])}"
    if len(interval.split()) != 5:
        return f"{interval!r} has not the five fields of cron: minute hour day month weekday"
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(interval, datetime.now(UTC)))
    except CronSimError as error:
        return f"{interval!r} is no cron expression: {error}"
    except StopIteration:
        return f"{interval!r} never comes"
    return ""
