"""Progress bars that people see and results do not."""

import os
from collections.abc import Iterable

from tqdm import tqdm


def bar(items: Iterable, title: str) -> Iterable:
    """Return the items with a bar that appears after two seconds: on the terminal of a pipeline run, or where stderr is one.

    A notebook run as a stage has its stderr captured, so its runner names the terminal by HOURGLASS_PROGRESS=tty.
    """
    if os.environ.get("HOURGLASS_PROGRESS") != "tty":
        return tqdm(items, desc=title, delay=2, disable=None, leave=False)
    return tqdm(items, desc=title, delay=2, leave=False, file=open("/dev/tty", "w"))
