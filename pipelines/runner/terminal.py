"""One process draws on a terminal: below, the bars of all processes of a run; above, whole lines of what they print.

Kernels of notebooks have no terminal of their own, and two writers break each other's lines. So whoever runs notebooks gives
its children a pipe in place of the terminal and the address of a socket for their bars (lib/core/progress.py), and it alone
writes.
"""

import json
import os
import selectors
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

import psutil
from tqdm import tqdm

from lib.core.progress import DELAY
from pipelines.runner import private

CLEAR = "\033[K"  # to the end of the line: the keyboard may have written there
TICK = 0.25  # seconds between two looks at the clock
PLAIN = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"
RUN = "{desc}: {n_fmt} of {total_fmt} stages |{bar}| {elapsed} gone{postfix}"


def watched() -> bool:
    """Return whether a person looks on, and nobody draws for them yet."""
    return "HOURGLASS_PROGRESS" not in os.environ and sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def drawn() -> Iterator[None]:
    """Draw meanwhile for this process and its children, if a person looks on; whoever already does goes on doing so.

    Where nobody looks on, bars are told so.
    """
    with ExitStack() as stack:
        if watched():
            try:
                _Screen(stack)
            except OSError as error:  # no place for a socket, no free file: the run goes on without bars
                print(f"no bars are drawn: {error}", file=sys.stderr)
        elif "HOURGLASS_PROGRESS" not in os.environ:
            os.environ["HOURGLASS_PROGRESS"] = ""
            stack.callback(os.environ.pop, "HOURGLASS_PROGRESS", None)
        yield


class _Screen:
    """The thread that writes, until its stack is closed."""

    def __init__(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(private.folder()))
        self.reports = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.reports.bind(str(folder / "bars"))
        self.reports.setblocking(False)
        self.terminal = stack.enter_context(os.fdopen(os.dup(2), "w", errors="replace"))
        self.lines, writer = os.pipe()
        stack.callback(os.close, self.lines)
        os.set_blocking(self.lines, False)
        self.rest = b""
        self.told: dict[str, tuple[float, dict]] = {}  # key of a bar -> when it was first told of, the latest report
        self.bars: dict[str, _Line] = {}
        self.ended = threading.Event()
        thread = threading.Thread(target=self.work, name="terminal", daemon=True)
        stack.callback(self.end, thread)
        self.redirect(stack, writer)
        os.environ["HOURGLASS_PROGRESS"] = str(folder / "bars")
        stack.callback(os.environ.pop, "HOURGLASS_PROGRESS", None)
        tqdm.monitor_interval = 0  # no second thread that draws
        thread.start()

    def redirect(self, stack: ExitStack, writer: int) -> None:
        """Put the pipe where the terminal was: what is printed into a file goes on being printed there."""
        sys.stdout.flush()
        for number in (1, 2):
            if os.isatty(number):
                stack.callback(os.close, kept := os.dup(number))
                stack.callback(os.dup2, kept, number)
                os.dup2(writer, number)
        stack.callback(_flush, sys.stdout, sys.stderr)
        os.close(writer)

    def work(self) -> None:
        """Take what comes until told to end; a terminal that is gone ends the drawing only."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.lines, selectors.EVENT_READ)
            selector.register(self.reports, selectors.EVENT_READ)
            while not self.ended.is_set():
                selector.select(TICK)
                with suppress(OSError):  # the terminal is gone, and with it whom it could be told
                    self.look()

    def look(self) -> None:
        """Write whole lines that have come, then bring the bars up to date."""
        self.write(last=False)
        while (report := self.received()) is not None:
            came, _ = self.told.get(report["key"], (time.time(), None))
            self.told[report["key"]] = came, report
        for key, (came, report) in list(self.told.items()):
            if report["n"] is None or not psutil.pid_exists(report["pid"]):  # ended, or its process was killed
                self.drop(key)
            elif key in self.bars:
                self.bars[key].show(report)
            elif time.time() - came >= DELAY or "left" in report:
                self.bars[key] = _Line(report, came, self.terminal)

    def received(self) -> dict | None:
        """Return the next report, none if there is none."""
        try:
            return json.loads(self.reports.recv(1 << 16))
        except (BlockingIOError, ValueError):  # none has come, or it was cut: the next one says the same
            return None

    def drop(self, key: str) -> None:
        """Take a bar away."""
        self.told.pop(key, None)
        if line := self.bars.pop(key, None):
            line.close()

    def write(self, *, last: bool) -> None:
        """Write the whole lines that have come above the bars; at last, what is no whole line too."""
        with suppress(BlockingIOError):  # that is all for now
            while part := os.read(self.lines, 1 << 16):
                self.rest += part
        whole, _, rest = self.rest.rpartition(b"\n")
        if last and rest:
            whole, rest = self.rest, b""
        if whole or self.rest != rest:
            text = whole.decode(errors="replace").replace("\n", f"{CLEAR}\n")
            tqdm.write(text, file=self.terminal, end=f"{CLEAR}\n")
            self.terminal.flush()
        self.rest = rest

    def end(self, thread: threading.Thread) -> None:
        """Write what is left and take the bars away."""
        self.ended.set()
        thread.join()
        with suppress(OSError):  # as above
            self.write(last=True)
            for key in list(self.told):
                self.drop(key)
            self.terminal.write(f"\r{CLEAR}")
            self.terminal.flush()


class _Line(tqdm):
    """A bar that reports move."""

    def __init__(self, report: dict, came: float, terminal: TextIO) -> None:
        form = RUN if "left" in report else PLAIN if report["total"] else None
        options = {"desc": report["title"], "total": report["total"], "bar_format": form}
        super().__init__(file=terminal, leave=False, ncols=_columns(terminal), **options)
        self.start_t = came
        self.drawn: tuple = ()
        self.show(report)

    def show(self, report: dict) -> None:
        """Draw it as the report says, if that or the second on its clock is new."""
        if self.drawn == (drawn := (report, int(time.time()))):
            return
        self.drawn = drawn
        self.n, self.ncols = report["n"], _columns(self.fp)
        if "left" in report:
            left = max(0.0, report["left"] - (time.time() - report["at"]))
            self.set_postfix_str(f"about {tqdm.format_interval(left)} to go  {report['doing']}", refresh=False)
        self.refresh()


def _columns(terminal: TextIO) -> int:
    """Return how wide a bar may be; a terminal that no window shows says 0."""
    return (os.get_terminal_size(terminal.fileno()).columns or 80) - 3  # Ctrl-C writes ^C there


def _flush(*streams: TextIO) -> None:
    for stream in streams:
        with suppress(OSError, ValueError):  # closed, by whom nobody reads there any more
            stream.flush()
