"""How much memory work takes, for scripts in a fresh process."""

from collections.abc import Callable
from pathlib import Path


def growth(work: Callable[[], object]) -> int:
    """Return by how many bytes the resident memory peaks, during the work, above what it was before.

    The peak is set back first: getrusage's is that of the parent where the parent was larger, and that of imports.
    """
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    work()
    return peak() - before


def peak() -> int:
    """Return the largest resident memory since the peak was set back, in bytes."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
