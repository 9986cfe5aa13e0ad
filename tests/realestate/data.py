"""The database of a real-estate application, clean or as dirty as such a database really is.

Everything is made of the seed and a document's place, so that the same call gives the same
documents and nothing is held in memory. `fill` returns what an import by `mapping.yml` into
`schema.sql` must make of them: the rows of each table, the documents that can't become rows and
why, and how much dirt the mapping puts right.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from bson import Decimal128, Int64, ObjectId
from pymongo.database import Database

Document = dict[str, Any]
Id = ObjectId | str

SCALE = 200
BATCH = 1000
EVERY = 20  # one document of so many is at fault
AT_FAULT, BEFORE = 7, 6  # places within EVERY; the one before is whom a duplicate repeats
UTC = dt.UTC
EPOCH = dt.datetime(2021, 1, 1, tzinfo=UTC)

CITIES = ("Lisbon", "Porto", "São Paulo", "München", "Kraków", "Αθήνα", "東京", "Cape Town")
CITY_WEIGHTS = (30, 20, 15, 10, 10, 7, 5, 3)
FIRST = ("Ana", "Bruno", "Chloé", "Dmitri", "Elif", "Fatima", "George", "Hana", "Igor", "José")
LAST = ("Almeida", "Brown", "Çelik", "Dubois", "Eriksen", "Fischer", "García", "O'Neill", "Žukas")
AMENITIES = ("pool", "garage", "garden", "lift", "balcony", "sea view", "gym", "solar panels")
TAGS = ("hot", "investor", "first-time", "relocation", "cash")
ROLES = ("buyer", "agent", "admin")
STATUSES = ("for_sale", "for_rent", "sold", "off_market")
TYPES = ("apartment", "house", "villa", "land")
SOURCES = ("website", "referral", "walk_in", "phone", "social_media")
LEAD_STATUSES = ("new", "contacted", "qualified", "won", "lost")
STAGES = ("planned", "pre_launch", "live", "completed")

# Why documents can't become rows, in the order in which they are dealt out.
FAULTS: dict[str, tuple[str, ...]] = {
    "users": ("missing_email", "duplicate_email", "unknown_role", "email_is_a_list"),
    "properties": (
        "price_is_words",
        "unknown_status",
        "dangling_agent",
        "duplicate_slug",
        "missing_title",
        "bedrooms_is_words",
    ),
    "inquiries": ("dangling_property", "missing_message", "date_is_words", "nul_in_message"),
    "leads": ("unknown_source", "missing_source", "score_too_large", "contact_is_text"),
    "launches": ("missing_name", "date_is_words", "null_specs"),
    "conversations": ("dangling_participant", "message_without_text"),
    "searches": ("dangling_user", "duplicate_name", "missing_filters"),
}
TABLES = {
    "users": "User",
    "properties": "Property",
    "inquiries": "Inquiry",
    "leads": "Lead",
    "launches": "Launch",
    "conversations": "Conversation",
    "searches": "saved_searches",
}


@dataclass
class Filled:
    """What was written, and what an import must make of it."""

    documents: dict[str, int] = field(default_factory=dict)  # collection -> how many
    faulty: dict[str, dict[str, list[Id]]] = field(default_factory=dict)  # collection -> why -> ids
    handled: dict[str, Counter[str]] = field(default_factory=dict)  # collection -> dirt put right
    rows: Counter[str] = field(default_factory=Counter)  # table -> rows of the faultless documents

    def faults(self, collection: str) -> int:
        """How many documents of a collection can't become rows."""
        return sum(map(len, self.faulty.get(collection, {}).values()))


@dataclass
class Maker:
    """Makes documents: what kind of dirt, and how many of each collection there are."""

    sizes: dict[str, int]
    seed: int
    dirty: bool
    handled: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    random: random.Random = field(default_factory=random.Random)

    def fault(self, collection: str, place: int) -> str | None:
        """Why the document of a place can't become a row, None where it can."""
        if not self.dirty or place % EVERY != AT_FAULT:
            return None
        return FAULTS[collection][place // EVERY % len(FAULTS[collection])]

    def begin(self, collection: str, place: int) -> None:
        """Start a document: its random choices depend on its place alone."""
        self.random = random.Random(f"{self.seed}/{collection}/{place}")

    def chance(self, share: float) -> bool:
        """Return whether something happens that happens to a share of documents."""
        return self.random.random() < share

    def soiled(self, kind: str, share: float) -> bool:
        """Return whether to make some dirt, and count it."""
        if not self.dirty or not self.chance(share):
            return False
        self.handled[kind] += 1
        return True

    def id(self, collection: str, place: int) -> Id:
        """Return the `_id` of a document."""
        if collection == "searches" and place % 10 == 4:
            return f"legacy-{place:06}"
        tag = hashlib.sha256(f"{self.seed}/{collection}".encode()).digest()[:5]
        seconds = int(EPOCH.timestamp()) + place
        return ObjectId(seconds.to_bytes(4, "big") + tag + place.to_bytes(3, "big"))

    def reference(self, collection: str) -> Id:
        """Return the id of a faultless document, sometimes as its hex digits."""
        count = self.sizes[collection]
        place = self.random.randrange(count)
        while self.dirty and place % EVERY in (AT_FAULT, BEFORE):
            place = self.random.randrange(count)
        found = self.id(collection, place)
        return str(found) if self.soiled("reference_as_text", 0.2) else found

    def optional_reference(self, document: Document, name: str, collection: str) -> None:
        """Set a reference that may be missing, null, or to a document that is gone."""
        if self.soiled("dangling_optional", 0.03):
            document[name] = self.nobody()
        elif self.chance(0.6):
            document[name] = self.reference(collection)
        elif self.chance(0.5):
            document[name] = None

    def nobody(self) -> ObjectId:
        """Return an id that no document has."""
        return ObjectId(b"\xff" * 4 + self.random.randbytes(8))

    def moment(self) -> Any:
        """Return a date, in one of the ways in which dates are kept."""
        seconds = self.random.randrange(100_000_000)
        date = EPOCH + dt.timedelta(seconds=seconds, milliseconds=self.random.randrange(1000))
        if self.soiled("date_as_text", 0.1):
            return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self.soiled("date_as_seconds", 0.05):
            return int(date.timestamp())
        if self.soiled("date_as_milliseconds", 0.05):
            return Int64(int(date.timestamp() * 1000))
        return date

    def day(self) -> Any:
        """Return a day: a date at midnight, or text."""
        date = dt.datetime(2024, 1, 1, tzinfo=UTC) + dt.timedelta(self.random.randrange(700))
        return f"{date:%Y-%m-%d}" if self.soiled("date_as_text", 0.3) else date

    def word(self, words: tuple[str, ...]) -> str:
        """Return an enum value, in one of its spellings."""
        word = self.random.choice(words)
        if self.soiled("enum_spelling", 0.4):
            spaced = word.replace("_", " ")
            return self.random.choice((spaced.title(), spaced, word.upper()))
        return word

    def amount(self, lowest: int, highest: int) -> Any:
        """Return an amount of money: a number of some kind, or a number in a string."""
        whole = self.random.randrange(lowest, highest, 500)
        if self.soiled("number_as_text", 0.1):
            return str(whole)
        if self.soiled("number_with_commas", 0.1):
            return f"{whole:,}"
        if self.soiled("number_as_decimal", 0.05):
            return Decimal128(f"{whole}.50")
        return float(whole) if self.soiled("number_as_double", 0.2) else whole

    def count(self, highest: int) -> Any:
        """Return a small whole number, sometimes in a string."""
        number = self.random.randrange(highest)
        return str(number) if self.soiled("number_as_text", 0.05) else number

    def flag(self) -> Any:
        """Return a boolean, sometimes as text or as a number."""
        value = self.chance(0.5)
        if self.soiled("boolean_as_text", 0.05):
            return str(value).lower()
        return int(value) if self.soiled("boolean_as_number", 0.05) else value

    def gaps(self, document: Document, *names: str) -> None:
        """Make fields null or leave them out."""
        for name in names:
            if self.soiled("null", 0.05):
                document[name] = None
            elif self.soiled("absent", 0.05):
                del document[name]


def fill(database: Database[Any], scale: int = SCALE, seed: int = 1, dirty: bool = True) -> Filled:
    """Write the eight collections; `scale` is the number of users, others go by it."""
    sizes = {
        "users": scale,
        "properties": 2 * scale,
        "inquiries": 3 * scale,
        "leads": 2 * scale,
        "launches": max(10, scale // 3),
        "conversations": scale,
        "searches": scale,
    }
    filled = Filled()
    for collection, count in sizes.items():
        maker = Maker(sizes, seed, dirty)
        faulty: dict[str, list[Id]] = defaultdict(list)
        places = iter(range(count))
        while batch := list(islice(places, BATCH)):
            documents = []
            for place in batch:
                fault = maker.fault(collection, place)
                maker.begin(collection, place)
                rows, handled = maker.rows.copy(), maker.handled.copy()
                document = MAKERS[collection](maker, place)
                if fault is None:
                    maker.rows[TABLES[collection]] += 1
                else:
                    maker.rows, maker.handled = rows, handled  # nothing of it becomes a row
                    faulty[fault].append(document["_id"])
                documents.append(document)
            database[collection].insert_many(documents)
        filled.documents[collection] = count
        filled.faulty[collection] = dict(faulty)
        filled.handled[collection] = maker.handled
        filled.rows.update(maker.rows)
    sessions = [
        {"_id": f"sess:{place}", "expires": EPOCH, "session": '{"cookie": {}}'}
        for place in range(10)
    ]
    database["sessions"].insert_many(sessions)
    filled.documents["sessions"] = len(sessions)
    return filled


def user(make: Maker, place: int) -> Document:
    first, last = make.random.choice(FIRST), make.random.choice(LAST)
    document: Document = {
        "_id": make.id("users", place),
        "email": email(place),
        "passwordHash": "$2b$10$" + hashlib.sha256(str(place).encode()).hexdigest()[:53],
        "name": {"first": first, "last": last},
        "role": make.word(ROLES),
        "phone": f"+351 9{make.random.randrange(10_000_000):08}",
        "isActive": make.flag(),
        "preferences": {"language": "pt", "currency": "EUR", "alerts": {"weekly": True}},
        "createdAt": make.moment(),
        "updatedAt": make.moment(),
        "__v": 0,
    }
    make.optional_reference(document, "referredBy", "users")
    make.gaps(document, "role", "phone", "isActive", "preferences")
    match make.fault("users", place):
        case "missing_email":
            del document["email"]
        case "duplicate_email":
            document["email"] = email(place - 1)
        case "unknown_role":
            document["role"] = "superuser"
        case "email_is_a_list":
            document["email"] = [email(place), f"second.{email(place)}"]
    return document


def email(place: int) -> str:
    return f"user{place}@example.com"


def estate(make: Maker, place: int) -> Document:
    kind, city = make.word(TYPES), make.random.choices(CITIES, CITY_WEIGHTS)[0]
    document: Document = {
        "_id": make.id("properties", place),
        "title": f"{kind.title()} in {city}, no. {place}",
        "slug": f"listing-{place}",
        "description": "Bright rooms — “quiet” street.\nCall us!",
        "status": make.word(STATUSES),
        "type": kind,
        "price": make.amount(40_000, 3_000_000),
        "bedrooms": make.count(6),
        "area": round(make.random.uniform(20, 400), 1),
        "address": {
            "street": f"Rua {make.random.randrange(1, 200)}",
            "city": city,
            "district": make.random.choice(("Centre", "North", "Harbour")),
            "postcode": f"{make.random.randrange(1000, 9999)}-{make.random.randrange(100, 999)}",
        },
        "location": {
            "type": "Point",
            "coordinates": [make.random.uniform(-9, 0), make.random.uniform(37, 42)],
        },
        "amenities": make.random.sample(AMENITIES, make.random.randrange(4)),
        "images": [image(make, place, number) for number in range(make.random.randrange(5))],
        "views": Int64(make.random.randrange(100_000)),
        "agent": make.reference("users"),
        "listedAt": make.moment(),
        "createdAt": make.moment(),
        "updatedAt": make.moment(),
        "legacyRef": f"OLD/{place}",
        "__v": make.random.randrange(5),
    }
    make.optional_reference(document, "launch", "launches")
    make.gaps(document["address"], "street", "district", "postcode")
    make.gaps(document, "description", "bedrooms", "area", "location", "views", "listedAt")
    make.rows["PropertyImage"] += len(document["images"])
    match make.fault("properties", place):
        case "price_is_words":
            document["price"] = "on request"
        case "unknown_status":
            document["status"] = "under offer"
        case "dangling_agent":
            document["agent"] = make.nobody()
        case "duplicate_slug":
            document["slug"] = f"listing-{place - 1}"
        case "missing_title":
            document["title"] = None
        case "bedrooms_is_words":
            document["bedrooms"] = "three"
    return document


def image(make: Maker, place: int, number: int) -> Document:
    found: Document = {
        "url": f"https://cdn.example.com/p/{place}/{number}.jpg",
        "caption": "Façade",
    }
    make.gaps(found, "caption")
    return found


def inquiry(make: Maker, place: int) -> Document:
    document: Document = {
        "_id": make.id("inquiries", place),
        "property": make.reference("properties"),
        "name": f"{make.random.choice(FIRST)} {make.random.choice(LAST)}",
        "email": email(make.random.randrange(100_000)),
        "message": make.random.choice(("Is it still free?", "When can I visit?", "Price? 🙂")),
        "preferredDate": make.day(),
        "createdAt": make.moment(),
        "__v": 0,
    }
    make.optional_reference(document, "user", "users")
    make.gaps(document, "preferredDate")
    match make.fault("inquiries", place):
        case "dangling_property":
            document["property"] = make.nobody()
        case "missing_message":
            del document["message"]
        case "date_is_words":
            document["createdAt"] = "last Tuesday"
        case "nul_in_message":
            document["message"] = "Is it\x00 free?"
    return document


def lead(make: Maker, place: int) -> Document:
    document: Document = {
        "_id": make.id("leads", place),
        "source": make.word(SOURCES),
        "status": make.word(LEAD_STATUSES),
        "score": make.count(100),
        "budget": make.amount(50_000, 2_000_000),
        "contact": {
            "name": f"{make.random.choice(FIRST)} {make.random.choice(LAST)}",
            "email": email(make.random.randrange(100_000)),
            "phone": f"+49 30 {make.random.randrange(1_000_000):06}",
        },
        "tags": make.random.sample(TAGS, make.random.randrange(3)),
        "createdAt": make.moment(),
        "updatedAt": make.moment(),
        "__v": 0,
    }
    make.optional_reference(document, "assignedTo", "users")
    make.optional_reference(document, "property", "properties")
    make.gaps(document["contact"], "email", "phone")
    make.gaps(document, "status", "score", "budget", "tags")
    match make.fault("leads", place):
        case "unknown_source":
            document["source"] = "carrier pigeon"
        case "missing_source":
            del document["source"]
        case "score_too_large":
            document["score"] = 100_000
        case "contact_is_text":
            document["contact"] = "Ana, by phone"
    return document


def launch(make: Maker, place: int) -> Document:
    document: Document = {
        "_id": make.id("launches", place),
        "name": f"Residence {place}",
        "developer": make.random.choice(("Atlântico", "Nordbau", "Blue Coast")),
        "stage": make.word(STAGES),
        "launchDate": make.day(),
        "units": make.count(300),
        "priceFrom": make.amount(90_000, 900_000),
        "specs": {"floors": make.random.randrange(1, 30), "energy": "A+", "lifts": [1, 2]},
        "createdAt": make.moment(),
        "__v": 0,
    }
    make.optional_reference(document, "featuredProperty", "properties")
    make.gaps(document, "stage", "launchDate", "priceFrom")
    match make.fault("launches", place):
        case "missing_name":
            document["name"] = None
        case "date_is_words":
            document["launchDate"] = "Q3 2025"
        case "null_specs":
            document["specs"] = None
    return document


def conversation(make: Maker, place: int) -> Document:
    people = list({str(one): one for one in (make.reference("users") for _ in range(2))}.values())
    messages = [message(make, people) for _ in range(make.random.randrange(6))]
    document: Document = {
        "_id": make.id("conversations", place),
        "subject": f"About no. {place}",
        "participants": people,
        "messages": messages,
        "lastMessageAt": make.moment(),
        "createdAt": make.moment(),
        "__v": 0,
    }
    make.optional_reference(document, "property", "properties")
    make.gaps(document, "subject", "lastMessageAt")
    make.rows["ConversationParticipant"] += len(people)
    make.rows["Message"] += len(messages)
    match make.fault("conversations", place):
        case "dangling_participant":
            people.append(make.nobody())
        case "message_without_text":
            messages.append({"sender": people[0], "sentAt": EPOCH, "isRead": False})
    return document


def message(make: Maker, people: list[Id]) -> Document:
    found: Document = {
        "sender": make.random.choice(people),
        "text": make.random.choice(("Hello", "Olá, ainda está livre?", "Yes, tomorrow at 5 pm")),
        "sentAt": make.moment(),
        "isRead": make.flag(),
    }
    make.gaps(found, "sender", "isRead")
    return found


def search(make: Maker, place: int) -> Document:
    document: Document = {
        "_id": make.id("searches", place),
        "user": make.reference("users"),
        "name": f"Search {place}",
        "filters": {"city": make.random.choice(CITIES), "maxPrice": make.random.randrange(10**6)},
        "alertsEnabled": make.flag(),
        "createdAt": make.moment(),
        "__v": 0,
    }
    make.gaps(document, "alertsEnabled")
    match make.fault("searches", place):
        case "dangling_user":
            document["user"] = make.nobody()
        case "duplicate_name":
            before = Maker(make.sizes, make.seed, make.dirty)
            before.begin("searches", place - 1)
            twin = search(before, place - 1)
            document["user"], document["name"] = twin["user"], twin["name"]
        case "missing_filters":
            del document["filters"]
    return document


MAKERS: dict[str, Callable[[Maker, int], Document]] = {
    "users": user,
    "properties": estate,
    "inquiries": inquiry,
    "leads": lead,
    "launches": launch,
    "conversations": conversation,
    "searches": search,
}
