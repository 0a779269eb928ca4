"""How a run of a notebook can end, and what is said and left then: one table for stages, tries, sweeps and what starts them.

| ended by | word | status | said | its notebook |
|---|---|---|---|---|
| its last cell | done | 0 | nothing | the result |
| Ctrl-C, a terminal that closed, a request to end | stopped | 128 + signal | the same command goes on | gone |
| a kernel that died | died | 1 | how much memory was in use | kept |
| a cell that failed | failed | 1 | the error | kept |
| bad parameters or inputs, a disk that is full | failed | 1 | the error | kept if it began |
"""

import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import psutil

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GO_ON = "stopped; the same command goes on"
FULL = 0.9  # share of the memory in use from which on a dead kernel is put down to it
LOOK = 0.5  # seconds between two looks at the memory
LAST = 5  # lines of what a command said


class StageError(Exception):
    """One clear message for a run that must not count as done."""


class Stopped(KeyboardInterrupt):
    """Somebody asked this process to end."""

    def __init__(self, number: int = signal.SIGINT, *, said: bool = False) -> None:
        """said: whether a child of this process has told the person."""
        super().__init__(GO_ON)
        self.number, self.said = number, said


class Outcome(NamedTuple):
    """How something ended."""

    word: str  # done, stopped, died or failed
    said: str = ""
    status: int = 0  # exit status
    hint: str = ""  # what else there is to say, of this very run: no part of a result


def of(error: BaseException, memory: "Memory | None" = None) -> Outcome:
    """Return how a run ended that raised an error; one that the table does not know is raised again."""
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, KeyboardInterrupt):
        said = "" if getattr(error, "said", False) else GO_ON
        return Outcome("stopped", said, 128 + getattr(error, "number", signal.SIGINT))
    if isinstance(error, DeadKernelError):
        return Outcome("died", "its kernel died", 1, memory.told() if memory else "why is not known")
    if isinstance(error, PapermillExecutionError):
        return Outcome("failed", f"{error.ename}: {error.evalue}", 1)
    if isinstance(error, StageError | ValueError):
        return Outcome("failed", str(error), 1)
    if isinstance(error, subprocess.CalledProcessError):
        return Outcome("failed", _ended(error), 1)
    if isinstance(error, OSError) and error.errno is None:  # one of our own, in whole sentences
        return Outcome("failed", str(error), 1)
    if isinstance(error, OSError | RuntimeError):
        return Outcome("failed", f"{type(error).__name__}: {error}", 1)
    raise error


def _ended(error: subprocess.CalledProcessError) -> str:
    """Return how a command that this process needed ended, with its last words where they were caught."""
    words = error.stderr or ""
    words = words.decode(errors="replace") if isinstance(words, bytes) else words
    told = "\n  ".join(words.strip().splitlines()[-LAST:]) or "what it said stands above"
    return f"`{shlex.join(map(str, error.cmd))}` ended with exit status {error.returncode}: {told}"


def observe(work: Callable[[], object]) -> Outcome:
    """Run something and return how it ended."""
    with Memory() as memory:
        try:
            work()
        except BaseException as error:
            return of(error, memory)
    return Outcome("done")


def put_away(notebook: Path, kept: Path, found: Outcome) -> str:
    """Keep the notebook of a run that failed or died, with its traceback, where nothing takes it for a result; say where.

    A run that was done takes away what an earlier one left there.
    """
    if found.word == "done":
        kept.unlink(missing_ok=True)
    if found.word in ("done", "stopped") or not notebook.exists():
        notebook.unlink(missing_ok=True)
        return ""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.replace(notebook, kept)
    except OSError as error:
        return f"the failed notebook could not be kept: {error}"
    return f"the notebook with its traceback: {kept}"


class Memory:
    """Watches meanwhile how much of this machine's memory is in use; a context."""

    def __init__(self) -> None:
        self.used, self.ended = [0], threading.Event()
        self.whole = _whole()

    def __enter__(self) -> "Memory":
        threading.Thread(target=self._watch, name="memory", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()

    def _watch(self) -> None:
        while not self.ended.wait(LOOK):
            self.used = [*self.used[-20:], _used()]  # the last ten seconds: what filled it is gone when its kernel is

    def told(self) -> str:
        """Return how much was in use, and what to do about it."""
        most, whole = max(self.used), self.whole
        told = f"{most / 2**30:.1f} of {whole / 2**30:.1f} GB were in use"
        if most >= FULL * whole:
            return f"{told}: fewer rows or more memory"
        return f"{told}, so it was not the memory: it was killed, or compiled code crashed"


def _limit() -> tuple[int, int] | None:
    """Return memory in use and its limit in this container, none where there is none."""
    for used, limit in (("memory.current", "memory.max"), ("memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes")):
        try:
            values = [(Path("/sys/fs/cgroup") / name).read_text().strip() for name in (used, limit)]
        except OSError:  # the files of the other version, or none: no limit
            continue
        if values[1] != "max":
            return int(values[0]), int(values[1])
    return None


def _whole() -> int:
    limit = _limit()
    return min(psutil.virtual_memory().total, limit[1] if limit else 1 << 62)


def _used() -> int:
    memory, limit = psutil.virtual_memory(), _limit()
    used = memory.total - memory.available
    return limit[0] if limit and limit[1] < memory.total else used


def stop_on_signals() -> None:
    """Have Ctrl-C, a closed terminal and a request to end raise Stopped here; one that is ignored, as by nohup, stays so."""
    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)  # once is enough; what follows is cleaning up
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # tasks that nobody awaits any more would tell of a dead kernel
    raise Stopped(number)


def pass_signals_on() -> None:
    """As stop_on_signals, but while a child works let it end first: Ctrl-C reaches it by itself, the others are passed on."""
    stop_on_signals()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _pass_on)


def _pass_on(number: int, frame: FrameType | None) -> None:
    session = os.getsid(0)
    if not [child for child in psutil.Process().children() if _took(child, number, session)]:
        _stop(number, frame)


def _took(child: psutil.Process, number: int, session: int) -> bool:
    """Send a child of this session a signal; return whether it lived to take it."""
    try:
        if os.getsid(child.pid) != session or child.status() == psutil.STATUS_ZOMBIE:
            return False
        child.send_signal(number)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
    return True


@contextmanager
def deferred() -> Iterator[None]:
    """Let a request to end wait until this is over; threads and processes that are started meanwhile never see one.

    Ctrl-C reaches every process of a terminal, and who did not ask for it breaks off with a traceback.
    """
    resource_tracker.ensure_running()  # multiprocessing's own helper would let signals through again when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follow(command: list[str], **options: object) -> subprocess.CompletedProcess:
    """Run a command to its end as subprocess.run does, leaving Ctrl-C to it, which says what there is to say.

    Errors: Stopped if it was stopped.
    """
    if options.pop("capture_output", False):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    check = options.pop("check", False)
    with subprocess.Popen(command, **options) as child, _ignored():  # not earlier, or the child would ignore it too
        out, err = child.communicate()
    if was_stopped(child.returncode):
        raise Stopped(abs(child.returncode) % 128, said=True)
    done = subprocess.CompletedProcess(command, child.returncode, out, err)
    if check:
        done.check_returncode()
    return done


@contextmanager
def _ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def was_stopped(status: int) -> bool:
    """Return whether an exit status, as Python or as a shell gives it, says that somebody asked the process to end."""
    return (-status if status < 0 else status - 128) in STOPPING


def main_of(work: Callable[[], int], name: str) -> int:
    """Run a program's work; what the table knows is said in one line, and its exit status returned."""
    try:
        return work()
    except BaseException as error:
        found = of(error)
        if found.said:
            say(f"{name}: {found.said}" if found.word != "stopped" else found.said)
        return found.status


def say(text: str) -> None:
    """Print a last word where errors go, if anybody is still there to read it."""
    with suppress(OSError):  # nobody is
        print(text, file=sys.stderr, flush=True)
