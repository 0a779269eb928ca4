"""Progress bars that people see and results do not."""

import multiprocessing
import os
from collections.abc import Iterable

from tqdm import tqdm


def bar(items: Iterable, title: str, *, total: int | None = None) -> Iterable:
    """Return the items with a bar that appears after two seconds: on the terminal of a pipeline run, or where stderr is one.

    A notebook run as a stage has its stderr captured, so its runner names the terminal by HOURGLASS_PROGRESS=tty. Workers of a
    pool draw theirs on lines below each other.
    """
    number = multiprocessing.current_process().name.rpartition("-")[2]
    line = int(number) if number.isdigit() else None
    if os.environ.get("HOURGLASS_PROGRESS") != "tty":
        return tqdm(items, desc=title, total=total, delay=2, disable=None, leave=False, position=line)
    return tqdm(items, desc=title, total=total, delay=2, leave=False, position=line, file=open("/dev/tty", "w"))
