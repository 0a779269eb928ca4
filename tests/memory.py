"""How much memory work takes, for scripts in a fresh process."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Has glibc hand freed memory back at once: what it would rather keep for later varies from run to run by 100 MiB.
ENVIRONMENT = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
PEAK = Path("/proc/self/clear_refs")
measured = pytest.mark.skipif(not PEAK.exists(), reason="only Linux sets the peak of resident memory back")


def growth(work: Callable[[], object]) -> int:
    """Return by how many bytes the resident memory peaks, during the work, above what it was before.

    The peak is set back first: getrusage's is that of the parent where the parent was larger, and that of imports. Pages of
    libraries that the work is the first to touch are not counted: how many there are depends on the machine's page cache.
    """
    PEAK.write_text("5")
    before, libraries = resident("VmHWM"), resident("RssFile")
    work()
    return resident("VmHWM") - before - (resident("RssFile") - libraries)


def resident(field: str) -> int:
    """Return a field of this process's status in bytes: VmHWM is the most resident memory since that was set back."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field)]
    return int(line.split()[1]) * 1024
