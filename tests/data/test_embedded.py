"""Embedded tables are what they say, have cards, and lie in a store that is complete, small and notices corruption."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from lib.data import DATASETS, embedded
from tests import ROOT
from tests.data.samples import RAW

pytestmark = pytest.mark.usefixtures("raw")

SIZES = {
    "diabetes": (442, 10),
    "flights": (20_000, 24),
    "breast_cancer": (569, 30),
    "wine": (178, 13),
    "digits": (1797, 64),
    "rotated_digits": (1797, 64),
    "mnist_digits": (5000, 784),
    "twelve_bit": (4096, 12),
}


@pytest.mark.parametrize("name", SIZES)
def test_embedded_tables_have_their_sizes_and_no_gaps(name):
    table = DATASETS[name](RAW)
    assert table.x.shape[0] == SIZES[name][0] == len(table.y)
    assert table.x.shape[1] == SIZES[name][1] == len(table.x_names)
    assert table.x.isfinite().all() and (not table.y.is_floating_point() or table.y.isfinite().all())


def test_embedded_tables_are_scikit_learns():
    own = load_diabetes(scaled=False)
    torch.testing.assert_close(DATASETS["diabetes"](RAW).x, torch.tensor(own.data, dtype=torch.float32))
    for name, loader in (("breast_cancer", load_breast_cancer), ("wine", load_wine)):
        x, y = loader(return_X_y=True)
        torch.testing.assert_close(DATASETS[name](RAW).x, torch.tensor(x, dtype=torch.float32))
        assert torch.equal(DATASETS[name](RAW).y, torch.tensor(y).long())


def test_a_tenth_of_the_pressures_is_missing():
    frame = embedded.frame_of(RAW, "weather")
    assert len(frame) == 26_115
    assert frame.pressure.isna().mean() == pytest.approx(0.1, abs=0.01)
    assert len(DATASETS["weather"](RAW).x) < 26_115


def test_flights_have_heavy_tails():
    y = DATASETS["flights"](RAW).y[:, 0].double()
    z = (y - y.mean()) / y.std()
    assert z.pow(4).mean() > 10  # a normal has 3


def test_rotated_digits_are_digits_turned_by_their_angle():
    table = DATASETS["rotated_digits"](RAW)
    assert table.y.abs().max() <= 45 and table.y.std().item() == pytest.approx(90 / 12**0.5, rel=0.03)
    upright = DATASETS["digits"](RAW).x
    small = table.y[:, 0].abs() < 1
    apart = (table.x - upright * upright.max() / table.x.max()).abs().mean(1)
    assert apart[small].mean() < 0.5 * apart[~small].mean()


def test_every_embedded_set_has_a_card_with_source_and_licence():
    for name in [p.name for p in RAW.iterdir() if p.is_dir()]:
        card = (RAW / name / "card.md").read_text().lower()
        assert "licence" in card and "source" in card, name


def test_a_missing_file_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`dvc pull data.dvc` brings the embedded data"):
        DATASETS["diabetes"](tmp_path)


def test_the_store_in_the_repository_is_complete_small_and_detects_corruption(tmp_path):
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    clone, environment = tmp_path / "clone", os.environ | {"DVC_NO_ANALYTICS": "1"}

    def pull():
        command = [sys.executable, "-m", "dvc", "pull", "data.dvc"]
        return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)

    store = [p for p in (clone / ".dvc/store").rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in store) < 6e6
    assert pull().returncode == 0
    assert {p.name for p in (clone / "data/raw").iterdir()} == {p.name for p in RAW.iterdir()}
    shutil.rmtree(clone / "data"), shutil.rmtree(clone / ".dvc/cache")
    largest = max(store, key=lambda p: p.stat().st_size)
    largest.chmod(0o644)
    largest.write_bytes(largest.read_bytes()[:-1] + b"x")
    done = pull()
    assert done.returncode != 0, "a corrupted object was checked out"
