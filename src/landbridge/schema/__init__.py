"""The shape of data: how a plan begins, and how it grows to hold what it has not seen before.

For       Deciding columns, types and variants; pure, so that the same misfits give the same plan.
Touches   Nothing: questions about a living table are asked through `TableFacts`.
Promises  A plan only grows. A column keeps its path, its family and its place.
"""

from landbridge.schema.evolve import Growth, Naming, TableFacts, grow
from landbridge.schema.start import carry_on, finish_plan, same_shape, start_plan

__all__ = [
    "Growth",
    "Naming",
    "TableFacts",
    "carry_on",
    "finish_plan",
    "grow",
    "same_shape",
    "start_plan",
]
