"""The real workbook at smoke scale, in copies."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines import workspace

ROOT = Path(__file__).parents[2]
os.environ["PATH"] = f"{workspace.python().parent}:{os.environ['PATH']}"  # what tests start finds it from any folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what works in the whole workbook, which `make` tests beside the rest."""
    for item in items:
        if {"workbook", "twins"} & {*item.fixturenames}:
            item.add_marker("workbook")


def repro(copy: Path, *options: str) -> subprocess.CompletedProcess:
    return workspace.run(copy, "pipelines.repro", *options, capture_output=True, text=True)


@pytest.fixture(scope="session")
def twins():
    """Two copies after `make repro SCALE=smoke`, run side by side: the one that tests work in, and a new one elsewhere."""
    twin = ROOT / "build/twin"
    shutil.rmtree(twin, ignore_errors=True)
    copies = workspace.refresh(ROOT / workspace.SMOKE), workspace.refresh(twin)
    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(repro, copies):
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return copies


@pytest.fixture(scope="session")
def workbook(twins):
    """The copy after `make repro SCALE=smoke` in which tests work."""
    return twins[0]
