"""landbridge moves MongoDB collections into PostgreSQL tables: exactly, fast, with proof.

import landbridge
summary = landbridge.sync("mongodb://…/shop", "postgresql://…/bi")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landbridge.bridge import plan_sync, sync
    from landbridge.model.settings import Settings

__version__ = "0.1.0"
__all__ = ["Settings", "__version__", "plan_sync", "sync"]


def __getattr__(name: str) -> Any:
    """Import the drivers only when something is asked of them."""
    rooms = {"plan_sync": "bridge", "sync": "bridge", "Settings": "model.settings"}
    if name in rooms:
        return getattr(import_module(f"landbridge.{rooms[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
