"""What can go wrong that isn't a bug: each kind with its exit code (sysexits) and one sentence for people."""

import errno
import sqlite3


class DeskError(Exception):
    """A failure that a person can understand and mend; its text is one sentence that names the thing."""

    exit_code = 1


class WrongUsage(DeskError):
    """Options that don't go together, typed by a person."""

    exit_code = 2


class BadData(DeskError):
    """The input is not what the job can work on (EX_DATAERR)."""

    exit_code = 65


class SourceUnavailable(DeskError):
    """What should bring the input isn't there, or doesn't answer (EX_UNAVAILABLE)."""

    exit_code = 69


class SourceDown(SourceUnavailable):
    """The source doesn't answer now and may do so later: a refused connection, a name not found, a server's fault."""


class CannotWrite(DeskError):
    """The desk can't write where it has to (EX_CANTCREAT)."""

    exit_code = 73


class Busy(DeskError):
    """Somebody else holds what is needed; a later try may pass (EX_TEMPFAIL)."""

    exit_code = 75


class NotPermitted(DeskError):
    """The input is there and may not be read (EX_NOPERM)."""

    exit_code = 77


class BadSettings(DeskError):
    """A setting is wrong (EX_CONFIG)."""

    exit_code = 78


PASSING = (SourceDown, Busy)  # what another try, some time later, may not meet

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


def as_desk_error(fault: Exception) -> DeskError | None:
    """The `DeskError` that a library's exception amounts to, or None where it is a bug."""
    if isinstance(fault, DeskError):
        return fault
    if isinstance(fault, sqlite3.OperationalError):
        text = str(fault)
        if "locked" in text:
            return Busy(f"the store stayed locked by another program ({text}); try again when it has finished")
        if any(word in text for word in ("full", "readonly", "unable to open", "disk I/O")):
            return CannotWrite(f"the store can't be written ({text}); check the disk and who owns the data folder")
    if type(fault) is sqlite3.DatabaseError:
        return BadData(f"the store is damaged ({fault}); put a backup of nightdesk.db in its place")
    if isinstance(fault, OSError):
        name = fault.filename or "a file"
        if fault.errno in _NO_ROOM:
            return CannotWrite(f"can't write {name}: {fault.strerror}; make room and run the job again")
        if isinstance(fault, NotADirectoryError | FileExistsError | IsADirectoryError):
            return CannotWrite(f"can't use {name}: {fault.strerror}; something else has its name, move that away")
        if isinstance(fault, FileNotFoundError):
            return SourceUnavailable(f"{name} is not there any more; was it moved while the job ran?")
        if isinstance(fault, PermissionError):
            return NotPermitted(f"not permitted to use {name}: {fault.strerror}; check who owns it and its mode")
    if isinstance(fault, MemoryError):
        return DeskError("the machine ran out of memory; give the job less at a time or a larger machine")
    return None
