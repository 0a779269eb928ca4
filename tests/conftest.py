"""Fixtures that many tests share: samples, and copies of the real workbook at smoke scale."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.runner import workspace
from tests import ROOT
from tests.keyboard import Terminal

os.environ["PATH"] = f"{workspace.python().parent}:{os.environ['PATH']}"  # what tests start finds it from any folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what works in the whole workbook, which `make` tests beside the rest."""
    for item in items:
        if {"workbook", "twins", "first_runs"} & {*item.fixturenames}:
            item.add_marker("workbook")


def repro(copy: Path, *options: str) -> subprocess.CompletedProcess:
    return workspace.run(copy, "pipelines.repro", *options, capture_output=True, text=True)


def repro_at_terminal(copy: Path) -> Terminal:
    """Run it as a person does; the terminal keeps all that was written on it."""
    environment = workspace.environment()
    environment.pop("HOURGLASS_PROGRESS", None)
    terminal = Terminal([sys.executable, "-m", "pipelines.repro"], cwd=copy, env=environment, rows=3000)
    terminal.status = terminal.end(seconds=3600)
    return terminal


@pytest.fixture(scope="session")
def first_runs():
    """Two copies and what their first `make repro SCALE=smoke`, side by side, was like: one at a terminal, one without."""
    twin = ROOT / "build/twin"
    shutil.rmtree(twin, ignore_errors=True)
    with workspace.smoke() as own, ThreadPoolExecutor(2) as pool:
        copies = ROOT / own, workspace.refresh(twin)
        shown, done = pool.submit(repro_at_terminal, copies[1]), pool.submit(repro, copies[0])
        assert done.result().returncode == 0, done.result().stdout[-3000:] + done.result().stderr[-3000:]
        assert shown.result().status == 0, "\n".join(shown.result().lines()[-60:])
        yield copies, shown.result()


@pytest.fixture(scope="session")
def twins(first_runs):
    """The two copies: the one that tests work in, and one that stays as it is."""
    return first_runs[0]


@pytest.fixture(scope="session")
def workbook(twins):
    """The copy after `make repro SCALE=smoke` in which tests work."""
    return twins[0]


@pytest.fixture(scope="session")
def pair():
    """Two dependent normal samples of 300 rows and two columns, in double precision."""
    from lib.data.synthetic import gaussian_pair  # pipeline tests load this file and need no torch

    x, y, _ = gaussian_pair(300, 0.7, d=2, seed=0)
    return x.double(), y.double()


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """Captioned scenes of `tests.samples.SIZES` through a small CLIP of random weights, by seed and knob."""
    from functools import partial

    from lib.concepts import clip, small
    from lib.concepts import scenes as task
    from lib.data.captions.attributes import draw
    from lib.data.captions.sentences import captions
    from tests.samples import SIZES

    folder = tmp_path_factory.mktemp("weights")
    texts = [text for row in captions(draw(200, seed=0), seed=0).texts for text in row]
    words = small.Words(small.vocabulary([*texts, *task.EMPTY]))
    clip.save(folder, small.untrained(words.size, seed=0), words)
    return partial(task.embedded, folder=folder, **SIZES)


@pytest.fixture(scope="session")
def waves():
    """Dynamic mode decomposition of two waves over a grid, taken apart by eigenpair."""
    from lib.experiments.koopman_spectra import rollouts
    from tests.samples import field_of_waves

    return rollouts.field(field_of_waves(), rank=4, steps=10)
