"""Reading archives: compressed by ourselves or others, in several pieces, broken, cut off."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
import zstandard

from landbridge.errors import ArchiveError
from landbridge.files import chunks, open_store

TEXT = b"".join(json.dumps({"_id": n, "name": f"n{n}"}).encode() + b"\n" for n in range(50_000))
HALF = len(TEXT) // 2


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKED = {
    "a.jsonl": TEXT,
    "a.jsonl.zst": zstd(TEXT[:HALF]) + zstd(b"") + zstd(TEXT[HALF:]),
    "a.jsonl.gz": gzip.compress(TEXT[:HALF]) + gzip.compress(TEXT[HALF:]),
}


@pytest.mark.parametrize("name", PACKED)
def test_every_compression_is_read_in_pieces(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(PACKED[name])
    digest = hashlib.sha256()
    pieces = list(chunks(open_store(str(tmp_path)), name, digest))

    assert b"".join(pieces) == TEXT
    assert max(map(len, pieces)) <= 8 << 20
    assert digest.hexdigest() == hashlib.sha256(PACKED[name]).hexdigest()


@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.jsonl.gz"])
@pytest.mark.parametrize("bytes_lost", [1, 5, 3000])
def test_a_file_that_is_cut_off_is_told(tmp_path: Path, name: str, bytes_lost: int) -> None:
    (tmp_path / name).write_bytes(PACKED[name][:-bytes_lost])
    with pytest.raises(ArchiveError, match="in the middle"):
        list(chunks(open_store(str(tmp_path)), name))


@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.jsonl.gz"])
def test_a_file_that_is_not_what_its_name_says_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(TEXT)
    with pytest.raises(ArchiveError, match=r"it is not (zstd|gzip)"):
        list(chunks(open_store(str(tmp_path)), name))


def test_an_empty_file_has_no_text(tmp_path: Path) -> None:
    for name in PACKED:
        (tmp_path / name).write_bytes(b"")
        assert list(chunks(open_store(str(tmp_path)), name)) == []
