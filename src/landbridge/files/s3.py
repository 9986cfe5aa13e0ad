"""A store at a prefix of an S3 bucket, or of anything that speaks as S3 does.

For       Archives off this machine, without a copy on its disk.
Touches   The objects right below the prefix. Endpoint, region and keys are those of the usual
          AWS variables and profiles of the machine.
Promises  An object appears when it is whole. A crash leaves no object, but may leave the parts of
          an upload, which the bucket's own rule for them removes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from landbridge.errors import ArchiveMissingError, LandbridgeError, StorageError, UsageError
from landbridge.files.faults import missing
from landbridge.files.store import S3_SCHEME

if TYPE_CHECKING:
    from obstore import ReadableFile, WritableFile
    from obstore.store import S3Store as Bucket

READ_BYTES = 8 << 20
PART_BYTES = 8 << 20
PARTS_MAX = 9_000  # of an upload; S3 ends at 10,000, and a size is an estimate
PARTS_AT_ONCE = 2
RETRIES_MAX = 5
RETRY_SECONDS_MAX = 60
CONNECT_SECONDS_MAX = 5
REQUEST_SECONDS_MAX = 300

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_KEYS_FIX = "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"


class S3Store:
    """The objects of a bucket right below a prefix."""

    resumes = False

    def __init__(self, place: str) -> None:
        bucket, _, prefix = place.removeprefix(S3_SCHEME).partition("/")
        if not bucket or "@" in bucket or ":" in bucket:
            raise UsageError(
                f"{S3_SCHEME}… is not understood",
                why="it is written as the name of a bucket and a prefix, without keys",
                fix=f"write {S3_SCHEME}BUCKET/PREFIX; {_KEYS_FIX}",
            )
        self.place = f"{S3_SCHEME}{bucket}/{prefix}".rstrip("/")
        self._bucket = _opened(self.place, bucket, prefix.strip("/"))

    def names(self) -> list[str]:
        """List the files by name; a prefix that isn't there has none."""
        import obstore

        with _translated(f"cannot list {self.place}"):
            listed = obstore.list_with_delimiter(self._bucket)["objects"]
            return sorted(one["path"] for one in listed)

    def size(self, name: str) -> int | None:
        """Return a file's bytes, None where there is none of the name."""
        import obstore

        with suppress(ArchiveMissingError), _translated(f"cannot look at {self.place}/{name}"):
            return int(obstore.head(self._bucket, name)["size"])
        return None

    def open(self, name: str) -> BinaryIO:
        """Open a file to be read from its beginning; the caller closes it."""
        import obstore

        what = f"cannot read {self.place}/{name}"
        with _translated(what):
            file = obstore.open_reader(self._bucket, name, buffer_size=READ_BYTES)
        return io.BufferedReader(_Reading(file, what))

    def read(self, name: str) -> bytes | None:
        """Read a small file whole, None where there is none of the name."""
        import obstore

        with suppress(ArchiveMissingError), _translated(f"cannot read {self.place}/{name}"):
            return bytes(obstore.get(self._bucket, name).bytes())
        return None

    def write(self, name: str, data: bytes) -> None:
        """Write a small file; others see the old one or the new one, whole."""
        import obstore

        with _translated(f"cannot write {self.place}/{name}"):
            obstore.put(self._bucket, name, data)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        import obstore

        with suppress(ArchiveMissingError), _translated(f"cannot remove {self.place}/{name}"):
            obstore.delete(self._bucket, name)

    @contextmanager
    def create(self, name: str, keep_bytes: int = 0, expect_bytes: int = 0) -> Iterator[S3Writing]:
        """Begin a file; `keep_bytes` is 0, for nothing of an earlier one is left."""
        import obstore

        what = f"cannot write {self.place}/{name}"
        part_bytes = max(PART_BYTES, expect_bytes // PARTS_MAX)
        with _translated(what):
            file = obstore.open_writer(
                self._bucket, name, buffer_size=part_bytes, max_concurrency=PARTS_AT_ONCE
            )
        writing = S3Writing(file, what)
        try:
            yield writing
        finally:
            writing.abandon()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep nobody out: a bucket has no means for it."""
        yield

    def open_partial(self, name: str) -> None:
        """Return None: nothing is left of a file under way."""


class S3Writing:
    """An upload under way."""

    def __init__(self, file: WritableFile, what: str) -> None:
        self._file, self._what = file, what
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append."""
        with _translated(self._what):
            self._file.write(data)
        self.size += len(data)

    def sync(self) -> None:
        """Do nothing: an upload ends whole or not at all."""

    def finish(self) -> None:
        """Let the object appear."""
        with _translated(self._what):
            self._file.close()

    def abandon(self) -> None:
        """Take back an upload that was not finished."""
        if not self._file.closed():
            with suppress(Exception):  # it is the error before this one that counts
                self._file.__exit__(InterruptedError, InterruptedError(), None)


class _Reading(io.RawIOBase):
    def __init__(self, file: ReadableFile, what: str) -> None:
        self._file, self._what = file, what

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with _translated(self._what):
            data = memoryview(self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)


def _opened(place: str, bucket: str, prefix: str) -> Bucket:
    try:
        from obstore.store import S3Store as Bucket
    except ImportError as error:
        raise UsageError(
            f"cannot use {place}",
            why="S3 needs a package that is not installed",
            fix="pip install 'landbridge[s3]'",
        ) from error
    with _translated(f"cannot use {place}"):
        return Bucket(
            bucket,
            prefix=prefix or None,
            client_options={
                "allow_http": _http_is_allowed(place),
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS_MAX),
                "timeout": timedelta(seconds=REQUEST_SECONDS_MAX),
            },
            retry_config={
                "max_retries": RETRIES_MAX,
                "retry_timeout": timedelta(seconds=RETRY_SECONDS_MAX),
            },
        )


def _http_is_allowed(place: str) -> bool:
    """Return whether the endpoint is reached without encryption; keys don't leave by accident."""
    variable = next((name for name in _ENDPOINT_VARIABLES if os.environ.get(name)), None)
    if variable is None:
        return False
    endpoint = urlsplit(os.environ[variable])
    if endpoint.scheme != "http":
        return False
    allowed = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1")
    if endpoint.hostname not in _LOOPBACK and not allowed:
        raise UsageError(
            f"cannot use {place}",
            why=f"{variable} is not encrypted (http://) and not on this machine",
            fix="write https://, or set AWS_ALLOW_HTTP=true where the network is trusted",
        )
    return True


@contextmanager
def _translated(what: str) -> Iterator[None]:
    from obstore import exceptions

    try:
        yield
    except LandbridgeError:
        raise
    except (FileNotFoundError, exceptions.BaseError) as error:
        # obstore appends its own insides to what the service said.
        why = str(error).partition("\n\nDebug source")[0].strip()
        if "NoSuchBucket" in why:
            raise StorageError(
                what, why="there is no such bucket", fix="make the bucket, or correct its name"
            ) from error
        if isinstance(error, (FileNotFoundError, exceptions.NotFoundError)):
            raise missing(what, "there is no such object") from error
        refused = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
        if isinstance(error, refused) or "AccessKey" in why:
            raise StorageError(what, why=why, fix=_KEYS_FIX + "; check what they allow") from error
        raise StorageError(
            what,
            why=why,
            fix="check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL "
            "and the network, and run the command again",
        ) from error
