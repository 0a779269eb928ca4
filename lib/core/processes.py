"""Processes that end with their parent, and work spread over them."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

PR_SET_PDEATHSIG = 1
LOOK = 0.5  # seconds between two looks at a parent, where only looking tells that it has ended


def cores() -> int:
    """Return how many cores this process may use: all of the machine, where a system has no way to give it fewer."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_count(text: str) -> int:
    """Return how many workers a text asks for. Errors: ValueError if that is no number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"workers must be a number from 1 on, got {text!r}; HOURGLASS_WORKERS and --workers say it")
    return int(text)


def free_workers() -> int:
    """Return how many workers compute at one time where nothing else is said: HOURGLASS_WORKERS, or one a free core."""
    asked = os.environ.get("HOURGLASS_WORKERS")
    return worker_count(asked) if asked else cores()


def die_with_parent(parent: int | None = None) -> None:
    """Have this process killed when its parent ends, and end at once if it already has: by Linux, elsewhere by a thread.

    After `kill -9` of make or dvc nothing of a run then goes on computing. parent: its number, from who knows it; otherwise
    one that ended before this call goes unnoticed.
    """
    parent = parent or os.getppid()
    system = ctypes.CDLL(None, use_errno=True)
    if not hasattr(system, "prctl"):
        threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()
        return
    system.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int) -> None:
    """Kill this process once its parent is another one, as whose parent has ended is given another."""
    while os.getppid() == parent:
        time.sleep(LOOK)
    os.kill(os.getpid(), signal.SIGKILL)


def each(function: Callable, items: Iterable, *, workers: int | None = None) -> Iterator:
    """Yield function(item) in the order of the items, computed by worker processes; workers=None takes HOURGLASS_WORKERS of
    them, or where that is not set one a free core.

    The function must be importable, as workers start afresh; what it returns must not depend on who computes it. With one
    worker everything is computed in this process. An exception of the function is raised here.
    """
    items = list(items)
    workers = min(len(items), workers or free_workers())
    if workers < 2:
        yield from map(function, items)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork of a process with threads may never wake up
    with ProcessPoolExecutor(workers, mp_context=fresh, initializer=start, initargs=(os.getpid(), precision())) as pool:
        yield from pool.map(function, items)


def precision() -> str | None:
    """Return the name of torch's default precision where torch is in use."""
    torch = sys.modules.get("torch")
    return torch and str(torch.get_default_dtype()).removeprefix("torch.")


def start(parent: int, name: str | None) -> None:
    """Let a worker end with its parent, and compute in its parent's precision."""
    die_with_parent(parent)
    if name:
        import torch

        torch.set_default_dtype(getattr(torch, name))
