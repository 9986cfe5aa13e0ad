"""Stores: a local folder and an S3 bucket keep the same promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.s3 import S3Server

from landbridge.errors import ArchiveMissingError, StorageError, UsageError
from landbridge.files import Store, open_store

PIECE = bytes(range(256)) * 4096  # 1 MiB


def test_small_files_are_written_whole_listed_and_read(store: Store) -> None:
    assert (store.names(), store.read("a"), store.size("a")) == ([], None, None)

    store.write("%2E..jsonl", b"1")
    store.write("a%2Fb.jsonl", b"22")
    store.write("a%2Fb.jsonl", b"333")

    assert store.names() == ["%2E..jsonl", "a%2Fb.jsonl"]
    assert (store.read("a%2Fb.jsonl"), store.size("a%2Fb.jsonl")) == (b"333", 3)
    store.remove("a%2Fb.jsonl")
    store.remove("a%2Fb.jsonl")
    assert store.names() == ["%2E..jsonl"]


def test_a_large_file_arrives_piece_by_piece(store: Store) -> None:
    with store.create("large") as file:
        for _ in range(20):
            file.write(PIECE)
        assert store.names() == []  # not before it is whole
        file.finish()
        assert file.size == 20 * len(PIECE)

    assert store.size("large") == 20 * len(PIECE)
    with store.open("large") as reading:
        for _ in range(20):
            assert reading.read(len(PIECE)) == PIECE
        assert reading.read(1) == b""


def test_a_file_that_was_not_finished_is_not_there(store: Store) -> None:
    with pytest.raises(KeyError), store.create("large") as file:
        for _ in range(20):
            file.write(PIECE)
        raise KeyError
    assert store.names() == []


def test_a_missing_file_is_told(store: Store) -> None:
    with pytest.raises(ArchiveMissingError, match=r"cannot read .*nothing"):
        store.open("nothing")


def test_a_local_file_goes_on_where_it_was_synced(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    with store.create("a") as file:
        file.write(b"kept")
        file.sync()
        file.write(b"lost")

    assert (store.names(), store.read("a")) == ([], None)
    with store.create("a", 4) as file:
        file.write(b", more")
        file.finish()
    assert (store.names(), store.read("a")) == (["a"], b"kept, more")


def test_an_upload_that_failed_leaves_no_parts(s3: S3Server) -> None:
    store = open_store(f"s3://{s3.bucket}/parts")
    with pytest.raises(KeyError), store.create("large") as file:
        for _ in range(20):
            file.write(PIECE)
        raise KeyError
    assert s3.uploads() == 0


def test_what_cannot_be_a_bucket_is_refused() -> None:
    for place in ("s3://", "s3://key:secret@bucket/prefix"):
        with pytest.raises(UsageError) as caught:
            open_store(place)
        assert "secret" not in str(caught.value)


def test_a_bucket_that_is_not_there_is_told(s3: S3Server) -> None:
    store = open_store("s3://no-such-bucket/prefix")
    for call in (store.names, lambda: store.write("a", b""), lambda: store.read("a")):
        with pytest.raises(StorageError, match="there is no such bucket") as caught:
            call()
        assert s3.environment["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


def test_keys_do_not_go_unencrypted_to_another_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.example:9000")
    with pytest.raises(UsageError, match="not encrypted"):
        open_store("s3://bucket")


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = open_store(str(tmp_path / "file"))
    with pytest.raises(StorageError):
        store.names()
    with pytest.raises(StorageError):
        store.write("a", b"")
