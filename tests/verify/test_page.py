"""The HTML page: everything is there, and nothing that comes from a database can act in it."""

from __future__ import annotations

from html.parser import HTMLParser

from landbridge.bridge import verification_page
from landbridge.model.verification import Aggregate, Difference, StreamVerdict, Verification

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\x1b\udc80'


class Reading(HTMLParser):
    """What a browser would find."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile() -> Verification:
    """A verification of which every text is hostile."""
    stream = StreamVerdict(
        HOSTILE,
        HOSTILE,
        HOSTILE,
        "full",
        source_count=1500,
        target_count=0,
        missing=tuple(f"{HOSTILE}{n}" for n in range(1500)),
        different=(Difference(HOSTILE, (HOSTILE, "b")),),
        aggregates=(
            Aggregate(HOSTILE, {}, "count", HOSTILE, None),
            Aggregate("g", {HOSTILE: HOSTILE}, "count", 1, 2),
        ),
        notes=(HOSTILE, "postgresql://u:secret@h/d"),
        source_hash=HOSTILE,
        target_hash="0" * 32,
        error={"message": HOSTILE, "fix": "see mongodb://u:secret@h/d", "code": "x"},
    )
    return Verification(
        (stream,),
        versions={"landbridge": HOSTILE},
        source="mongodb://u:secret@h/d",
        target=HOSTILE,
        notes=(HOSTILE,),
        started_at=HOSTILE,
    )


def test_nothing_hostile_becomes_a_tag_and_no_password_stands_there() -> None:
    page = verification_page(hostile())
    page.encode()
    found = Reading(page)
    assert not found.open
    assert not {"script", "img"} & set(found.tags)
    names = {name for name, _ in found.attributes}
    assert not any(name.startswith("on") or name == "src" for name in names)
    assert all((value or "").startswith("#s") for name, value in found.attributes if name == "href")
    assert "secret" not in page
    assert "\x1b" not in page


def test_differences_are_named_up_to_a_thousand_and_counted_beyond() -> None:
    page = verification_page(hostile())
    assert page.count("onerror") < 1100
    assert "500 more" in page


def test_it_says_when_what_and_with_which_versions() -> None:
    verdict = StreamVerdict("db", "users", "public.users", "full", 5, 5, source_hash="a" * 32,
                            target_hash="a" * 32)  # fmt: skip
    verification = Verification(
        (verdict,),
        1.5,
        started_at="2026-01-01T00:00:00+00:00",
        finished_at="2026-01-01T00:00:01+00:00",
        versions={"landbridge": "0.1.0", "mongodb": "7.0.1", "postgresql": "16.4"},
        source="mongodb://rs0/h:1/db",
        target="postgresql://h:2/db",
    )
    text = Reading(verification_page(verification)).text
    for expected in ("EQUAL", "db.users", "public.users", "a" * 32, "7.0.1", "16.4", "1.5 s",
                     "2026-01-01T00:00:00+00:00", "mongodb://rs0/h:1/db"):  # fmt: skip
        assert expected in text
