"""Lets nbval run notebooks in a copy of the workbook at smoke scale, so that they never touch the pipeline's own results.

A notebook passes nbval trivially if it was committed without outputs, so one that has none is refused here. Texts, tables and
vector graphics are compared by pipelines/runner/outputs.py; of pixels nbval compares that there are some.
"""

import os
from contextlib import ExitStack
from pathlib import Path

import nbformat
import pytest

from pipelines.runner import outputs, warm, workspace
from pipelines.runner.stage_environment import compute_alone, set_environment

set_environment(), compute_alone()
os.environ["HOURGLASS_PROGRESS"] = ""  # stored outputs show no bar

from nbval import kernel, plugin  # noqa: E402

from pipelines.runner.kernel import StageKernel  # noqa: E402

SERVER = ExitStack()
TO_THE_LETTER = plugin.IPyNbCell.compare_outputs


class ScratchManager(StageKernel, kernel.KernelManager):
    """A manager whose kernels start as those of stages do."""


class ScratchKernel(plugin.RunningKernel):
    """A kernel of this environment that works in the copy, importing the copy's own code."""

    def __init__(self, kernel_name, cwd=None, startup_timeout=120, **options):
        super().__init__(plugin.CURRENT_ENV_KERNEL_NAME, cwd=str(workspace.SMOKE.resolve()), startup_timeout=startup_timeout)


def compare_outputs(cell, test, ref, skip_compare=None):
    """Compare as nbval does, but for numbers that differ in the rounding of their last digit."""
    test, odd = outputs.reconciled(test, ref)
    same = TO_THE_LETTER(cell, test, ref, skip_compare)
    if not same:
        cell.comparison_traceback += odd
    return same


def pytest_sessionstart(session):
    """Bring the copy's results up to date; start the server that forks the kernels of this process and its workers."""
    plugin.RunningKernel, kernel.KernelManager = ScratchKernel, ScratchManager
    plugin.IPyNbCell.compare_outputs = compare_outputs
    if os.environ.get("PYTEST_XDIST_WORKER") is None:
        copy = SERVER.enter_context(workspace.smoke())
        if workspace.run(copy, "pipelines.repro").returncode:
            pytest.exit("the workbook cannot be reproduced at smoke scale; see above", returncode=1)
        SERVER.enter_context(warm.kernels())


def pytest_sessionfinish():
    """End the server."""
    SERVER.close()


def pytest_collection_modifyitems(items):
    """Refuse notebooks that were committed without having run."""
    empty = {str(item.path) for item in items if item.path.suffix == ".ipynb" and lacking(item.path)}
    if empty:
        raise pytest.UsageError(f"{', '.join(sorted(empty))}: code cells without outputs of a run; `make notebooks` adds them")


def lacking(path: Path) -> bool:
    """Return whether a notebook has a code cell that never ran."""
    return any(c.cell_type == "code" and c.execution_count is None for c in nbformat.read(path, 4).cells)
