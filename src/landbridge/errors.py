"""Every public error of landbridge, in one tree sorted by what the caller does next.

For       Telling a person what happened, why, and what to do; telling a program which of
          retry, skip, stop or ask applies.
Touches   Nothing.
Promises  `code` is stable and is what `--json` shows; no error text ever holds a password.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PROBLEMS_SHOWN_MAX = 20  # of one file, in one error

_CREDENTIALS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^:/@\s]*):(?P<secret>[^\s]*)@"
)
_KEYWORD_SECRET = re.compile(r"(?i)\b(password|passwd|pwd|sslpassword)=('[^']*'|[^\s&]+)")


def redact(text: str) -> str:
    """Return `text` with every password in a connection string replaced by `***`."""
    text = _CREDENTIALS.sub(r"\g<scheme>\g<user>:***@", text)
    return _KEYWORD_SECRET.sub(r"\1=***", text)


class LandbridgeError(Exception):
    """Base of every deliberate error; the command line prints it, and its `code` in the JSON."""

    code = "failed"
    exit_code = 1

    def __init__(self, what: str, *, why: str, fix: str) -> None:
        self.what, self.why, self.fix = redact(what), redact(why), redact(fix)
        super().__init__(f"{self.what}\n  why: {self.why}\n  fix: {self.fix}")

    def to_json(self) -> dict[str, str]:
        """Return the `error` object of the JSON reports."""
        return {"code": self.code, "message": f"{self.what}: {self.why}", "fix": self.fix}


class RetryableError(LandbridgeError):
    """A passing fault: the same call may succeed in a moment."""

    code = "unavailable"


class ConnectionLostError(RetryableError):
    """A server went away in the middle of a run."""

    code = "connection_lost"


class LockedError(RetryableError):
    """A lock was not to be had in time; nothing was changed."""

    code = "locked"


class SnapshotTooOldError(RetryableError):
    """The server no longer keeps the history that a snapshot read needs (MongoDB error 239)."""

    code = "snapshot_too_old"


class BusyError(LandbridgeError):
    """Another living run holds the stream."""

    code = "stream_busy"


class FencedError(LandbridgeError):
    """Another run took this stream over; what this one did since is thrown away."""

    code = "fenced"


class StopError(LandbridgeError):
    """The run cannot go on until something outside it changes."""


class UnreachableError(StopError):
    """A server does not answer at that address."""

    code = "unreachable"


class AuthenticationError(StopError):
    """A server refused the user or the password."""

    code = "authentication_failed"


class PrivilegeError(StopError):
    """A server refused an operation to this user; the fix names the missing grant."""

    code = "no_privilege"


class SourceMissingError(StopError):
    """A named database or collection does not exist at the source."""

    code = "source_missing"


class SourceDroppedError(StopError):
    """A followed collection was dropped or renamed, and `--on-ddl stop` was asked for."""

    code = "source_dropped"


class LogUnavailableError(StopError):
    """The source has no log to follow: a standalone, a view, a time series."""

    code = "no_log"


class PositionLostError(StopError):
    """The source's log no longer holds what follows the saved position."""

    code = "position_lost"


class KeyUnorderedError(StopError):
    """A replication key holds arrays, which have no order to go on from."""

    code = "key_unordered"


class TableTakenError(StopError):
    """A table of that name exists and landbridge did not make it."""

    code = "table_taken"


class ContractError(StopError):
    """A document does not fit the frozen shape of its table."""

    code = "contract_broken"


class ProblemsError(StopError):
    """A file that people write says something that is not understood; all of it is told at once."""

    def __init__(self, what: str, problems: Sequence[str], *, fix: str) -> None:
        self.problems = tuple(problems)
        shown = list(problems[:PROBLEMS_SHOWN_MAX])
        if len(problems) > PROBLEMS_SHOWN_MAX:
            shown.append(f"and {len(problems) - PROBLEMS_SHOWN_MAX} more")
        super().__init__(what, why="\n    ".join(shown), fix=fix)


class MappingError(ProblemsError):
    """A mapping file can't be read, or its tables are not as it says; nothing was written."""

    code = "mapping_invalid"


class ProjectError(ProblemsError):
    """A project file can't be read, or says something that is not understood."""

    code = "project_invalid"


class ViolationError(StopError):
    """A document does not fit its tables, and the import was to stop at the first."""

    code = "violation"


class RefusedError(StopError):
    """Some rows of an import could not be taken back: they were changed, or are referred to."""

    code = "undo_refused"


class CodecError(StopError):
    """Bytes that should be BSON are not."""

    code = "malformed"


class TableChangedError(StopError):
    """A table's columns are not what the plan expects."""

    code = "table_changed"


class CountMismatchError(StopError):
    """The rows in a private table are not those that its ledger speaks for."""

    code = "count_mismatch"


class DeleteGuardError(StopError):
    """A run would have deleted more rows than allowed; everything else was committed."""

    code = "delete_guard"


class StreamsFailedError(StopError):
    """Some streams of a run failed; the others have finished."""

    code = "streams_failed"


class PreflightError(StopError):
    """A check before a sync found what would make it fail."""

    code = "preflight_failed"


class StorageError(StopError):
    """A folder or a bucket can't be read or written."""

    code = "storage_failed"


class ArchiveMissingError(StopError):
    """An archive, or a file that it should hold, is not there."""

    code = "archive_missing"


class ArchiveError(StopError):
    """A file of an archive is not what its name or the manifest says."""

    code = "archive_broken"


class BrokenLineError(StopError):
    """A line of a file is no document, or repeats an id, and `--on-error stop` was asked for."""

    code = "line_broken"


class ArchiveTakenError(StopError):
    """A finished archive is there already; nothing was written."""

    code = "archive_taken"


class SchemaFileError(StopError):
    """A schema file can't be read, or is not one for PostgreSQL."""

    code = "schema_file_broken"


class TargetMissingError(StopError):
    """A named schema of the target does not exist, or holds no table."""

    code = "target_missing"


class MatchlessError(StopError):
    """No collection has a table to go to."""

    code = "nothing_matches"


class DocumentsRejectedError(StopError):
    """Some documents could not be written as JSON; they are kept beside the archive, whole."""

    code = "documents_rejected"


class HookError(StopError):
    """A command that the user named for a step of a cutover failed, or took too long."""

    code = "hook_failed"


class NoGoError(StopError):
    """A cutover must not go on: what was found speaks against it."""

    code = "no_go"


class InterruptedRunError(LandbridgeError):
    """A person or a supervisor asked the run to stop; what was committed stays."""

    code = "interrupted"
    exit_code = 130  # 128 + SIGINT, as a shell expects


class InternalError(LandbridgeError):
    """Something that no part of the program expected: a bug."""

    code = "internal"

    @classmethod
    def of(cls, error: Exception) -> InternalError:
        """Return the error that tells of an exception nobody expected."""
        return cls(
            "this is a bug in landbridge",
            why=f"{type(error).__name__}: {error}",
            fix="run the command again with --debug and report what it prints",
        )


class EmbeddedError(StopError):
    """An embedded server cannot run on this machine."""

    code = "embedded_unavailable"


class UsageError(LandbridgeError):
    """The command was used in a wrong way; nothing was touched."""

    code = "usage"
    exit_code = 2


class UnsupportedError(LandbridgeError):
    """The request is understood, but this version does not do it."""

    code = "unsupported"
