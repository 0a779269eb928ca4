"""Folders of one process among the temporary files, for its sockets and links; those of processes that were killed go with the
next one that wants such a folder.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

PREFIX, OWNER = "hourglass-", "owner"


@contextmanager
def folder(place: str | None = None) -> Iterator[str]:
    """Yield a folder that only this user reads, in a place or where sockets may lie; it is gone with this process."""
    place = place or short_folder()
    sweep_up(place)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place) as own, open(f"{own}/.{OWNER}", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        os.rename(held.name, f"{own}/{OWNER}")  # never seen without its lock
        yield own


def short_folder() -> str:
    """Return where sockets may lie: the folder for temporary files, or /tmp where its name is too long for their paths."""
    found = tempfile.gettempdir()
    return found if len(os.fsencode(found)) <= 60 else "/tmp"  # a socket's path has at most 107 bytes


def sweep_up(place: str) -> None:
    """Remove this user's folders of processes that have ended; a lock on each tells, which ends with its process."""
    for entry in os.scandir(place):
        if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False) and _abandoned(entry.path):
            shutil.rmtree(entry.path, ignore_errors=True)  # another process may sweep it up at the same time


def _abandoned(path: str) -> bool:
    try:
        held = os.open(f"{path}/{OWNER}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would wait for its writer
    except OSError:  # it is being made, has just gone, or may not be read
        return False
    try:
        found = os.fstat(held)
        if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
            return False
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True
