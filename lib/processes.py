"""Processes that end with their parent, and work spread over them."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, and end at once if it already has.

    After `kill -9` of make or dvc nothing of a run then goes on computing.
    """
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def each(function: Callable, items: Iterable, *, workers: int | None = None) -> Iterator:
    """Yield function(item) in the order of the items, computed by worker processes; workers=None takes HOURGLASS_WORKERS of
    them, or where that is not set one a free core.

    The function must be importable, as workers start afresh; what it returns must not depend on who computes it. With one
    worker everything is computed in this process. An exception of the function is raised here.
    """
    items = list(items)
    workers = min(len(items), workers or int(os.environ.get("HOURGLASS_WORKERS", "0")) or len(os.sched_getaffinity(0)))
    if workers < 2:
        yield from map(function, items)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork of a process with threads may never wake up
    with ProcessPoolExecutor(workers, mp_context=fresh, initializer=start, initargs=(precision(),)) as pool:
        yield from pool.map(function, items)


def precision() -> str | None:
    """Return the name of torch's default precision where torch is in use."""
    torch = sys.modules.get("torch")
    return torch and str(torch.get_default_dtype()).removeprefix("torch.")


def start(name: str | None) -> None:
    """Let a worker end with its parent, and compute in its parent's precision."""
    die_with_parent()
    if name:
        import torch

        torch.set_default_dtype(getattr(torch, name))
