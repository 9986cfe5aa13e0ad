"""What the tests ask of an archive: its lines, its manifest, and whether both are true."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import bson
from bson import json_util
from bson.codec_options import DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from landbridge.codec import batch_of
from landbridge.codec.lines import PureLineWriter
from landbridge.files import chunks, open_store, read_manifest
from landbridge.model.archive import Manifest

Mongo = Database[dict[str, Any]]

OPTIONS = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)


def lines_in(place: str, name: str) -> list[str]:
    """Return the lines of a file."""
    text = b"".join(chunks(open_store(place), name)).decode()
    assert not text or text.endswith("\n")
    return text.split("\n")[:-1]


def documents_in(place: str, name: str) -> list[dict[str, Any]]:
    """Return the documents of a file, as the driver reads them."""
    return [json_util.loads(line, json_options=OPTIONS) for line in lines_in(place, name)]


def documents_of(mongo: Mongo, name: str) -> list[dict[str, Any]]:
    """Return the documents of a collection, as the driver reads them."""
    options = bson.CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
    found = mongo.get_collection(name, codec_options=options).find()
    return list(found)


def lines_of(mongo: Mongo, name: str) -> Counter[str]:
    """Return the lines that a collection should have."""
    options = bson.CodecOptions(document_class=RawBSONDocument)
    raw = [one.raw for one in mongo.get_collection(name, codec_options=options).find()]
    text = bytes(PureLineWriter().write(batch_of(raw).data, 0).text).decode()
    return Counter(text.split("\n")[:-1])


def manifest_of(place: str) -> Manifest:
    """Return the manifest; it must say of each file what the file is."""
    store = open_store(place)
    manifest = read_manifest(store)
    assert manifest is not None
    for file in manifest.files:
        raw = store.read(file.name)
        assert raw is not None
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (file.bytes, file.sha256)
        text = b"".join(chunks(store, file.name))
        assert (len(text), text.count(b"\n")) == (file.bytes_plain, file.documents)
        if file.rejected:
            rejected = store.read(file.rejected_name)
            assert rejected is not None
            assert len([json.loads(line) for line in rejected.splitlines()]) == file.rejected
    assert not [name for name in store.names() if "progress" in name or name.endswith(".part")]
    return manifest
