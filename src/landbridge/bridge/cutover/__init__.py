"""The evening of a cutover: its plan, its checks, the cutover itself, and the day after.

For       `landbridge cutover plan | check | go | watch`, and notebooks.
Touches   Both ends, through their rooms; the commands that the user names; a folder for its log.
Promises  What was frozen is unfrozen, whatever happens in between.
"""

from landbridge.bridge.cutover.going import go as cut_over
from landbridge.bridge.cutover.plan import plan_cutover
from landbridge.bridge.cutover.quiet import check_quiet
from landbridge.bridge.cutover.watching import watch_cutover
from landbridge.bridge.cutover.ways import Figures, Through
from landbridge.bridge.cutover.ways import Request as CutoverRequest

__all__ = [
    "CutoverRequest",
    "Figures",
    "Through",
    "check_quiet",
    "cut_over",
    "plan_cutover",
    "watch_cutover",
]
