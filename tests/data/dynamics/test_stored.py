"""What is stored of trajectories is what comes back."""

import math

import pytest
import torch
from safetensors import safe_open

from lib.core.types import Trajectories
from lib.data.dynamics import DYNAMICS, stored

SETTINGS = {"trajectories": 2, "steps": 3, "dt": 0.1, "seed": 0}


@pytest.mark.parametrize("name", ["slow_manifold", "rope", "pendulum_pixels", "pendulum_embedded"])
def test_trajectories_come_back(tmp_path, name):
    data = DYNAMICS[name](**SETTINGS)
    stored.write(tmp_path, data, SETTINGS)
    found = stored.read(tmp_path)
    assert torch.equal(found.x, data.x.float().double()) and found.dt == 0.1
    assert found.truth.keys() == data.truth.keys()
    for key, value in data.truth.items():
        same = torch.equal(found.truth[key], value) if isinstance(value, torch.Tensor) else found.truth[key] == value
        assert same, key
    assert (found.controls is None) == (name != "rope")
    assert name != "rope" or torch.equal(found.controls, data.controls.float().double())


def test_files_are_single_precision_with_one_line_of_metadata_and_the_same_bytes(tmp_path):
    data = DYNAMICS["pendulum_embedded"](**SETTINGS)
    bytes_of = []
    for _ in range(2):
        stored.write(tmp_path, data, SETTINGS)
        bytes_of.append([(tmp_path / name).read_bytes() for name in stored.FILES])
    assert bytes_of[0] == bytes_of[1]
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert list(file.metadata()) == ["about"] and file.get_tensor("x").dtype == torch.float32
        assert "truth.frame" in file.keys()  # noqa: SIM118


def test_what_cannot_be_stored_or_found_is_refused(tmp_path):
    x = torch.zeros(1, 2, 1).double()
    with pytest.raises(ValueError, match="the truth 'who' is of type list; give a number, a text or a tensor"):
        stored.write(tmp_path, Trajectories(x, 1.0, {"who": []}), {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        stored.write(tmp_path, Trajectories(x, 1.0, {"mi": math.nan}), {})
    with pytest.raises(FileNotFoundError, match=r"x\.safetensors does not exist; `dvc repro` writes it"):
        stored.read(tmp_path / "nowhere")
