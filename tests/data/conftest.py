"""Data that are there: the embedded ones, pulled, and the public ones from a mirror."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.data.samples import MIRROR, RAW


@pytest.fixture(scope="module")
def raw() -> Path:
    """The embedded data, as `make repro` pulls them."""
    if not RAW.exists():
        subprocess.run([sys.executable, "-m", "pipelines.runner.tracked"], cwd=ROOT, check=True)
    return RAW


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Public data from the mirror, into a cache of the test's own."""
    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(MIRROR))
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path))
    return tmp_path
