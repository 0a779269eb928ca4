"""One at a time: who works in a folder holds a lock, and who comes later waits, or is refused."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(lock: Path, work: str, *, wait: bool = True) -> Iterator[None]:
    """Wait until no other process does the same work in this folder, and say so.

    Errors: ValueError where another does and wait is False.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise ValueError(f"the {work} is running already; wait for it, or give yours another name") from None
            held.seek(0)
            print(f"another {work} (process {held.read().strip()}) works in this folder; waiting for it to end", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield
