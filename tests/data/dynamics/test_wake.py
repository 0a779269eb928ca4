"""The wake sheds vortices at the known rhythm; flows that it cannot hold are refused."""

import math

import pytest
import torch

from lib.data.dynamics import wake
from tests.data.dynamics.samples import SHORT


def test_vortices_come_off_at_the_known_rhythm():
    data = wake.wake(trajectories=1, steps=20, dt=0.2, seed=0, size=32)
    assert 0.29 < data.truth["strouhal"] < 0.31
    assert data.truth["angle"] == pytest.approx(2 * math.pi * 0.2 * data.truth["strouhal"])
    u = data.x[0, :, 0]
    assert data.x.shape == (1, 21, 2, 32, 32) and 1.5 < u.max() < 3 and u.min() < -0.1  # water runs back behind the cylinder
    assert u.mean((0, 2))[[0, -1]].max() < 0.5 < u.mean((0, 2))[5]  # slow at the walls
    fluxes = u[:, :, -1].mean(1)  # what passes any cross-section is the mean inflow
    assert fluxes.mean() == pytest.approx(1, abs=0.05)


def test_seeds_decide_the_moment_and_the_reynolds_number():
    settings = {"trajectories": 1, "steps": 1, "dt": 0.1, "reynolds": (90.0, 110.0), "size": 8}
    first, again, other = (wake.wake(**settings, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.x, again.x) and not torch.equal(first.x, other.x)
    assert 90 < first.truth["reynolds"] < 110 and first.truth["reynolds"] != other.truth["reynolds"]


def test_slow_flow_sheds_nothing():
    _, strouhal = wake.shed(20.0, 2, 0.2, wait=0.0, size=8)
    assert strouhal == 0


@pytest.mark.parametrize("period", [3.37, 12.1])
def test_crossings_count_a_sines_turns(period):
    t = 0.1 * torch.arange(1000, dtype=torch.float64)
    assert wake.strouhal(0.3 + torch.sin(2 * math.pi * t / period), 0.1) == pytest.approx(1 / period, rel=2e-3)
    assert wake.strouhal(1e-3 * torch.sin(t), 0.1) == 0


@pytest.mark.parametrize("reynolds", [(0, 100), (200, 100), (100, 300)])
def test_reynolds_numbers_that_the_lattice_cannot_hold_are_refused(reynolds):
    with pytest.raises(ValueError, match=r"reynolds must be in order and lie in \(0, 250\]"):
        wake.wake(**SHORT, reynolds=reynolds)


def test_a_step_shorter_than_the_lattices_is_refused():
    with pytest.raises(ValueError, match=r"dt must be at least 0\.002 for the wake, got 0\.001"):
        wake.wake(**SHORT | {"dt": 0.001})
