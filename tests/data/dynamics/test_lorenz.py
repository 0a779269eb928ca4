"""Lorenz's system has the known exponents; compiled steps are Runge-Kutta's."""

import math

import pytest
import torch

from lib.data.dynamics import lorenz
from lib.data.dynamics.integrate import rk4, rk4_step
from tests.data.dynamics.samples import LONGER


def test_compiled_steps_are_runge_kutta_steps():
    data = lorenz.lorenz(trajectories=5, steps=30, dt=0.03, seed=0)
    slow = rk4(lorenz.field, data.x[:, 0], steps=30, dt=0.03, longest=0.01)
    assert (slow - data.x).abs().max() < 1e-10
    assert data.x[..., 2].min() > 0 and data.x.abs().max() < 60


def test_lorenz_exponents():
    start = lorenz.lorenz(trajectories=500, steps=1, dt=0.01, seed=0).x[:, -1]
    step = lambda x: rk4_step(lorenz.field, x, 0.01)  # noqa: E731
    found = lorenz.lyapunov_spectrum(step, start, count=3, rounds=200, every=10, burn_in=50).mean(0) / 0.01
    truth = lorenz.lorenz(**LONGER).truth
    assert found.sum() == pytest.approx(truth["sum"], abs=1e-3) and truth["sum"] == pytest.approx(-13.66667, abs=1e-5)
    assert found[0] == pytest.approx(0.906, abs=0.01) and found[1] == pytest.approx(0, abs=0.01)
    assert lorenz.kaplan_yorke(found) == pytest.approx(2.062, abs=0.002) == truth["kaplan_yorke"]


def test_exponents_of_a_linear_map_are_the_logarithms_of_its_eigenvalues():
    turned = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    k = turned @ torch.diag(torch.tensor([1.1, 0.7, 0.2], dtype=torch.float64)) @ turned.T
    found = lorenz.lyapunov_spectrum(lambda x: x @ k, torch.ones(1, 3).double(), count=2, rounds=10, every=2, burn_in=20)
    assert found[0].tolist() == pytest.approx([math.log(1.1), math.log(0.7)], abs=1e-6)


@pytest.mark.parametrize(("exponents", "dimension"), [([-1.0, -2.0], 0.0), ([0.5, -1.0, 0.0], 2.5), ([0.0, -1.0], 1.0)])
def test_kaplan_yorke_by_hand(exponents, dimension):
    assert lorenz.kaplan_yorke(torch.tensor(exponents)) == dimension


def test_bad_exponents_and_burn_in_are_refused():
    with pytest.raises(ValueError, match=r"the 2 exponents sum to 0\.3 >= 0; give more of them"):
        lorenz.kaplan_yorke(torch.tensor([0.2, 0.1]))
    with pytest.raises(ValueError, match="count is 4, but states have 3 columns"):
        lorenz.lyapunov_spectrum(lambda x: x, torch.ones(1, 3), count=4, rounds=1, every=1, burn_in=0)
    with pytest.raises(ValueError, match="burn_in must be >= 0 units of time, got -1"):
        lorenz.lorenz(**LONGER, burn_in=-1)
