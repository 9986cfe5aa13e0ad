"""Whether a sync can start, and what will hurt: facts of both ends become findings.

For       `landbridge doctor`, and the short check before a first sync.
Touches   Nothing: the ends gathered the facts.
Promises  The same facts give the same findings. An error is what makes the sync, or one of its
          streams, fail; a warning is what makes it slow, cut short or unsafe.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from landbridge.engine.preflight_source import judge_source
from landbridge.engine.preflight_target import judge_target
from landbridge.model.amounts import count_of
from landbridge.model.finding import SEVERITIES, SOURCE, TARGET, Finding, SourceFacts
from landbridge.model.settings import Method

__all__ = ["bytes_to_copy", "judge_source", "judge_target", "sorted_findings", "verdict"]


def bytes_to_copy(facts: SourceFacts, method: Method, loaded: Collection[str]) -> int:
    """Return how much the next run copies; by `full` that is all, else what was never `loaded`."""
    sizes = {one.collection.stream: one.collection.bytes or 0 for one in facts.collections}
    return sum(size for stream, size in sizes.items() if method == "full" or stream not in loaded)


def sorted_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, the worst first; those of a kind keep their order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def verdict(findings: Sequence[Finding], method: Method, looked_at: Collection[str]) -> str:
    """Say in one line whether a sync can start, of the ends that were looked at."""
    counts = {s: sum(finding.severity == s for finding in findings) for s in SEVERITIES}
    if counts["error"]:
        return f"a sync by {method} cannot start: {count_of(counts['error'], 'error')} to mend"
    warned = f", with {count_of(counts['warning'], 'warning')}" if counts["warning"] else ""
    for here, there in ((SOURCE, TARGET), (TARGET, SOURCE)):
        if there not in looked_at:
            return (
                f"for the {here} a sync by {method} can start{warned};"
                f" the {there} was not looked at"
            )
    return f"a sync by {method} can start{warned}"
