"""Progress bars that people see and results do not.

A run at a terminal has one process that draws for all others (pipelines/runner/terminal.py): HOURGLASS_PROGRESS names its
socket, and bars report to it. Empty, it says that nobody looks. Where it is not set, a notebook that a person opened shows a
widget, a program at a terminal draws for itself. Whatever goes wrong with a bar costs the bar and nothing else.
"""

import json
import multiprocessing
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType

from tqdm import tqdm

EVERY = 0.1  # seconds between two reports
DELAY = 2.0  # seconds that something takes before a bar is worth drawing


def bar(items: Iterable, title: str, *, total: int | None = None) -> Iterable:
    """Return the items, counted by a bar that appears after two seconds where somebody looks."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    place = os.environ.get("HOURGLASS_PROGRESS")
    if place:
        return _reported(items, title, total)
    if place == "" or multiprocessing.parent_process() is not None:  # what started a worker counts for it
        return items
    options = {"desc": title, "total": total, "delay": DELAY, "leave": False}
    if _in_notebook():
        from tqdm.notebook import tqdm as widget  # imports ipywidgets

        return widget(items, **options)
    return tqdm(items, disable=None, **options)


class Report:
    """How far one thing has come, told to the process that draws; a context that ends its bar."""

    def __init__(self, title: str, total: int | None, **more: object) -> None:
        """more: what a bar of its own kind needs, as pipelines/runner/terminal.py reads it."""
        self.told = {"key": uuid.uuid4().hex, "pid": os.getpid(), "title": title, "n": 0, "total": total} | more
        self.next = 0.0
        self.send()

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def update(self, count: int = 1, **more: object) -> None:
        """Count on, and say so if it is time."""
        self.told |= {"n": self.told["n"] + count} | more
        if more or time.monotonic() >= self.next:
            self.send()

    def close(self) -> None:
        """End the bar."""
        self.told["n"] = None
        self.send(patience=1.0)

    def send(self, *, patience: float = 0.0) -> None:
        """Report; a reader that is later than that misses it, and one that is gone delays nothing."""
        self.next = time.monotonic() + EVERY
        place = os.environ.get("HOURGLASS_PROGRESS", "")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(patience)
                out.sendto(json.dumps(self.told | {"at": time.time()}).encode(), place)
        except OSError:
            pass  # no cause to tell: a bar that is not drawn is all that is lost


def _reported(items: Iterable, title: str, total: int | None) -> Iterator:
    with Report(title, total) as report:
        for item in items:
            yield item
            report.update()


def _in_notebook() -> bool:
    """Return whether this is the kernel of a notebook, whose front end shows widgets."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None
