"""Sample data: a carbon-accounting application with 25 collections, made by a seeded generator.

For       The demo, tests and benchmarks that want documents as real applications write them:
          references, nesting, arrays, decimals, fields that come and go, numbers that are
          integers or doubles as JavaScript happens to store them, a type that disagrees.
Touches   Nothing.
Promises  The same seed and scale give the same documents, value for value.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

Document = dict[str, Any]
Part = Callable[[Random], Document]

DATABASE = "carbonLens"
SEED = 2024
YEARS = (2022, 2023, 2024)
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
COMPANIES, SITES, USERS = 12, 48, 160
CITIES = (
    ("Rotterdam", "NL", 4.479, 51.9225), ("Gdańsk", "PL", 18.6464, 54.3521),
    ("Lyon", "FR", 4.8467, 45.7485), ("Malmö", "SE", 13.0007, 55.6059),
    ("Porto", "PT", -8.611, 41.1496), ("Leeds", "GB", -1.5437, 53.7965),
    ("Graz", "AT", 15.4409, 47.0667), ("Lahore", "PK", 74.3436, 31.5497),
    ("Osaka", "JP", 135.5022, 34.6937), ("Medellín", "CO", -75.5635, 6.2518),
)  # fmt: skip
PLACES = ("Works", "Depot", "Office", "Plant", "Campus", "Warehouse")
NAMES = ("Ana", "Bram", "Chloé", "Dmitri", "Ewa", "Farid", "Grete", "Hiro", "Inés", "Jonas")
SURNAMES = ("Okafor", "Lindqvist", "Moreau", "Nowak", "Tanaka", "Iqbal", "Visser", "Öztürk")
TRADES = ("Foods", "Textiles", "Logistics", "Chemicals", "Paper", "Glass")
REMARKS = (
    "Meter was replaced this month.", "Invoice arrived late; value confirmed by the supplier.",
    "Estimated from last year.", "Includes the night shift.", "Checked – see attachment №2.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Activity:
    """One kind of emission: how many documents, what is measured, and what else is noted."""

    documents: int
    scope: str
    category: str
    field: str  # the field that says what emits
    values: tuple[str, ...]
    unit: str
    parts: tuple[Part, ...] = ()


def collections(seed: int = SEED, scale: float = 1.0) -> Iterator[tuple[str, list[Document]]]:
    """Yield each collection's name and its documents, the referenced ones first."""
    companies = list(_companies(seed))
    sites = list(_sites(seed, companies))
    users = list(_users(seed, sites))
    yield "companies", companies
    yield "sites", sites
    yield "users", users
    for name, activity in ACTIVITIES.items():
        random = Random(f"{seed} {name}")
        documents = [
            _record(random, activity, number, sites, users)
            for number in range(max(1, round(activity.documents * scale)))
        ]
        if name == "services":
            # PostgreSQL's text holds no NUL: this document is what quarantine is for.
            documents[0]["notes"] = "pasted from a form:\x00 see attachment"
        yield name, documents


def _companies(seed: int) -> Iterator[Document]:
    random = Random(f"{seed} companies")
    for number in range(COMPANIES):
        created = _moment(random, 2021)
        yield {
            "_id": _object_id(random, created, number),
            "companyName": f"{SURNAMES[number % len(SURNAMES)]} {random.choice(TRADES)}",
            "industry": random.choice(TRADES),
            "fiscalYearStart": random.choice(MONTHS),
            "settings": {
                "currency": random.choice(("EUR", "USD", "GBP")),
                "units": {"energy": "kWh", "distance": "km"},
                "scopes": ["Scope 1", "Scope 2", "Scope 3"],
            },
            "targets": [
                {"year": 2030, "reductionPercent": random.randint(30, 55)},
                {"year": 2045, "reductionPercent": 100},
            ],
            "createdAt": created,
            "updatedAt": created + timedelta(days=random.randint(0, 400)),
            "__v": 0,
        }


def _sites(seed: int, companies: list[Document]) -> Iterator[Document]:
    random = Random(f"{seed} sites")
    for number in range(SITES):
        created = _moment(random, 2021)
        city, country, longitude, latitude = CITIES[number % len(CITIES)]
        place = PLACES[number // len(CITIES) % len(PLACES)]
        yield {
            "_id": _object_id(random, created, number),
            "companyId": companies[number % COMPANIES]["_id"],
            "siteName": f"{city} {place}",
            "address": {"city": city, "country": country, "postcode": f"{number:05}"},
            "location": {"type": "Point", "coordinates": [longitude, latitude]},
            "floorAreaM2": _number(random, 200, 40_000),
            "employees": random.randint(5, 900),
            "contacts": [_person(random) for _ in range(random.randint(0, 2))],
            "active": random.random() < 0.95,
            "createdAt": created,
            "updatedAt": created + timedelta(days=random.randint(0, 400)),
            "__v": 0,
        }


def _users(seed: int, sites: list[Document]) -> Iterator[Document]:
    random = Random(f"{seed} users")
    for number in range(USERS):
        created = _moment(random, 2021)
        site = sites[number % SITES]
        user = {
            "_id": _object_id(random, created, number),
            "companyId": site["companyId"],
            "siteIds": [site["_id"]],
            **_person(random),
            "role": random.choice(("contributor", "approver", "admin")),
            "preferences": {"language": random.choice(("en", "de", "fr")), "digest": True},
            "createdAt": created,
            "updatedAt": created,
            "__v": 0,
        }
        if random.random() < 0.8:
            user["lastLoginAt"] = _moment(random, 2024)
        yield user


def _record(
    random: Random, activity: Activity, number: int, sites: list[Document], users: list[Document]
) -> Document:
    """Return one emission record, as a form of the application would save it."""
    site, user = random.choice(sites), random.choice(users)
    year, month = random.choice(YEARS), random.randrange(12)
    created = datetime(year, month + 1, 28, tzinfo=UTC) + timedelta(
        milliseconds=random.randrange(30 * 86_400_000)
    )
    quantity = _number(random, 1, 9_000)
    co2, ch4, n2o = (
        round(random.uniform(*span), 6) for span in ((0.02, 2.9), (0, 0.01), (0, 0.01))
    )
    document: Document = {
        "_id": _object_id(random, created, number),
        "companyId": site["companyId"],
        "siteId": site["_id"],
        "userId": user["_id"],
        "scope": activity.scope,
        "category": activity.category,
        "year": str(year),
        "month": MONTHS[month],
        activity.field: random.choice(activity.values),
        "quantity": quantity,
        "unit": activity.unit,
        "emissionFactor": {
            "value": co2,
            "unit": f"kgCO2e/{activity.unit}",
            "source": {"name": random.choice(("DEFRA", "EPA", "IPCC")), "year": year},
        },
        "calculatedEmission": _as_javascript(round(quantity * (co2 + 28 * ch4 + 265 * n2o), 4)),
        "co2": round(quantity * co2, 4),
        "ch4": round(quantity * ch4, 6),
        "n2o": round(quantity * n2o, 6),
        "isEstimated": random.random() < 0.2,
    }
    for part in activity.parts:
        document |= part(random)
    document["tags"] = random.sample(
        ("audit", "q-close", "imported", "verified"), random.randint(0, 2)
    )
    if random.random() < 0.3:
        document["notes"] = random.choice(REMARKS)
    if random.random() < 0.15:
        document["comments"] = [
            {"userId": random.choice(users)["_id"], "text": random.choice(REMARKS), "at": created}
        ]
    document |= _approval(random, created, users)
    document["createdAt"] = created
    document["updatedAt"] = document.get("approvedAt", created)
    document["__v"] = random.randint(0, 3)
    return document


def _approval(random: Random, created: datetime, users: list[Document]) -> Document:
    """Return how far the record got; who and when are missing until somebody decided."""
    state = random.choices(("approved", "pending", "rejected"), (80, 15, 5))[0]
    if state == "pending":
        return {"approved": state}
    decided = created + timedelta(milliseconds=random.randrange(20 * 86_400_000))
    decision = {
        "approved": state,
        "approvedBy": random.choice(users)["_id"],
        "approvedAt": decided,
    }
    if state == "rejected":
        decision["rejectionReason"] = random.choice(REMARKS)
    return decision


def _cost(random: Random) -> Document:
    from bson.decimal128 import Decimal128

    amount = f"{random.randrange(100, 9_000_000)}"
    return {"cost": {"amount": Decimal128(f"{amount[:-2]}.{amount[-2:]}"), "currency": "EUR"}}


def _supplier(random: Random) -> Document:
    supplier: Document = {"name": f"{random.choice(SURNAMES)} Supplies"}
    if random.random() < 0.7:
        supplier["contact"] = _person(random)
    return {"supplier": supplier}


def _evidence(random: Random) -> Document:
    from bson.binary import Binary

    files = [
        {
            "name": f"invoice-{random.randrange(10_000):04}.pdf",
            "bytes": random.randrange(20_000, 4_000_000),
            "sha256": Binary(random.randbytes(32)),
        }
        for _ in range(random.randint(0, 2))
    ]
    submission = uuid.UUID(int=random.getrandbits(128), version=4)
    return {"attachments": files, "submissionId": Binary.from_uuid(submission)}


def _equipment(random: Random) -> Document:
    installed = _moment(random, random.randint(2005, 2021))
    meter: float = random.randrange(100_000)
    readings = []
    for day in range(random.randint(0, 4)):
        meter += random.randrange(400) / 4
        readings.append({"day": day * 7 + 1, "value": _as_javascript(meter)})
    return {
        "equipment": {
            "name": random.choice(("Boiler", "Furnace", "Turbine", "Generator")),
            "serial": f"SN-{random.getrandbits(32):08X}",
            "capacityKw": _number(random, 20, 4_000),
            "installedAt": installed,
        },
        "meterReadings": readings,
        "uncertaintyPercent": random.randint(1, 15),
    }


def _vehicle(random: Random) -> Document:
    # An import of old spreadsheets left text where numbers are expected.
    odometer: Any = "unknown" if random.random() < 0.004 else random.randrange(1_000, 300_000)
    return {
        "vehicle": {
            "kind": random.choice(("van", "truck", "car")),
            "model": "M" + str(random.randrange(9)),
        },
        "odometer": odometer,
        "distanceKm": _number(random, 10, 4_000),
    }


def _journey(random: Random) -> Document:
    stops = random.sample(CITIES, random.randint(2, 4))
    return {
        "from": stops[0][0],
        "to": stops[-1][0],
        "passengers": random.randint(1, 6),
        "returnTrip": random.random() < 0.6,
        "legs": [
            {"from": start[0], "to": end[0], "distanceKm": _number(random, 40, 9_000)}
            for start, end in pairwise(stops)
        ],
    }


def _freight(random: Random) -> Document:
    return {
        "weight": {"value": _number(random, 1, 24_000), "unit": "kg"},
        "mode": random.choice(("road", "rail", "sea", "air")),
        "distanceKm": _number(random, 10, 12_000),
    }


def _grid(random: Random) -> Document:
    market = round(random.uniform(0.05, 0.7), 4)
    return {
        "grid": {"region": random.choice(CITIES)[1], "marketBased": market, "locationBased": 0.41},
        "certificates": [f"GO-{random.getrandbits(40):010X}" for _ in range(random.randint(0, 3))],
    }


def _disposal(random: Random) -> Document:
    return {
        "treatment": random.choice(("landfill", "recycling", "incineration", "composting")),
        "hazardous": random.random() < 0.1,
    }


FUELS = ("Natural gas", "Diesel", "LPG", "Heating oil", "Wood pellets", "Biogas")
GASES = ("R-410A", "R-134a", "R-32", "SF6")
MATERIALS = ("Steel", "Aluminium", "Cardboard", "Glass", "PET", "Cotton")

ACTIVITIES: dict[str, Activity] = {
    "stationarycombustions": Activity(
        8000, "Scope 1", "Stationary combustion", "fuelType", FUELS, "kWh",
        (_equipment, _supplier, _cost, _evidence),
    ),
    "mobilecombustions": Activity(
        5000, "Scope 1", "Mobile combustion", "fuelType", FUELS[1:3], "litre",
        (_vehicle, _cost),
    ),
    "fugitiveemissions": Activity(
        1200, "Scope 1", "Fugitive emissions", "refrigerant", GASES, "kg", (_equipment, _evidence)
    ),
    "fire extinguishers": Activity(
        400, "Scope 1", "Fire extinguishers", "agent", ("CO2", "Halon 1211"), "kg", (_supplier,)
    ),
    "purchasedelectricities": Activity(
        5000, "Scope 2", "Purchased electricity", "tariff", ("day", "night"), "kWh",
        (_grid, _cost, _evidence),
    ),
    "renewableelectricities": Activity(
        1500, "Scope 2", "Renewable electricity", "source", ("solar", "wind", "hydro"), "kWh",
        (_grid, _cost),
    ),
    "ferastationaries": Activity(
        1500, "Scope 3", "FERA stationary", "fuelType", FUELS, "kWh", (_equipment,)
    ),
    "feramobiles": Activity(
        1500, "Scope 3", "FERA mobile", "fuelType", FUELS[1:3], "litre", (_vehicle,)
    ),
    "feraelectricities": Activity(
        1500, "Scope 3", "FERA electricity", "tariff", ("day", "night"), "kWh", (_grid,)
    ),
    "flighttravels": Activity(
        1500, "Scope 3", "Business travel", "cabin", ("economy", "business"), "pkm",
        (_journey, _cost),
    ),
    "groundtravels": Activity(
        1500, "Scope 3", "Business travel", "vehicleType", ("taxi", "train", "bus"), "pkm",
        (_journey,),
    ),
    "seatravels": Activity(
        300, "Scope 3", "Business travel", "vesselType", ("ferry", "cruise"), "pkm", (_journey,)
    ),
    "accomodations": Activity(
        900, "Scope 3", "Business travel", "hotelClass", ("3 stars", "4 stars"), "night", (_cost,)
    ),
    "employeecommutings": Activity(
        1500, "Scope 3", "Employee commuting", "mode", ("car", "bicycle", "tram"), "pkm",
        (_journey,),
    ),
    "wastegenerations": Activity(
        1200, "Scope 3", "Waste", "wasteType", MATERIALS, "kg", (_disposal, _evidence)
    ),
    "endoflifetreatments": Activity(
        600, "Scope 3", "End-of-life treatment", "material", MATERIALS, "kg", (_disposal,)
    ),
    "upstreamtransportations": Activity(
        1200, "Scope 3", "Upstream transportation", "goods", MATERIALS, "tkm", (_freight, _cost)
    ),
    "dtds": Activity(
        900, "Scope 3", "Downstream distribution", "goods", MATERIALS, "tkm", (_freight,)
    ),
    "capitalgoods": Activity(
        400, "Scope 3", "Capital goods", "asset", ("machine", "building"), "piece",
        (_cost, _supplier),
    ),
    "rawmaterials": Activity(
        1200, "Scope 3", "Purchased goods", "material", MATERIALS, "kg", (_supplier, _cost)
    ),
    "packagings": Activity(
        900, "Scope 3", "Purchased goods", "material", MATERIALS, "kg", (_supplier, _freight)
    ),
    "services": Activity(
        600, "Scope 3", "Purchased services", "service", ("cloud", "cleaning", "legal"), "EUR",
        (_cost, _supplier),
    ),
}  # fmt: skip


def _person(random: Random) -> Document:
    name, surname = random.choice(NAMES), random.choice(SURNAMES)
    address = f"{name}.{surname}".encode("ascii", "ignore").decode().lower()
    return {"name": f"{name} {surname}", "email": f"{address}@example.com"}


def _moment(random: Random, year: int) -> datetime:
    start = datetime(year, 1, 1, tzinfo=UTC)
    return start + timedelta(milliseconds=random.randrange(364 * 86_400_000))


def _number(random: Random, low: int, high: int) -> float | int:
    """Return a quantity as typed into a form: mostly whole."""
    return (
        random.randint(low, high) if random.random() < 0.6 else round(random.uniform(low, high), 2)
    )


def _as_javascript(number: float) -> float | int:
    """Return a whole number as an integer, as the Node.js driver stores it."""
    return int(number) if number == int(number) else number


def _object_id(random: Random, created: datetime, number: int) -> Any:
    from bson.objectid import ObjectId

    return ObjectId(
        int(created.timestamp()).to_bytes(4, "big")
        + random.randbytes(5)
        + number.to_bytes(3, "big")
    )
