"""Budgets of variance: water fills strong modes, entropy keeps weak ones alive, and nothing else is better."""

import pytest
import torch

from lib.koopman.allocation import anti_collapse, carried, water_filling
from tests.koopman.samples import GAINS
from tests.samples import normal


def test_water_fills_the_strong_modes_and_leaves_the_weak_ones():
    p = water_filling(GAINS, budget=1.0)
    assert p.tolist() == pytest.approx([0.995, 0.005, 0.0], abs=1e-6)
    assert carried(GAINS, p).item() == pytest.approx(2.3076, abs=1e-4)
    p = water_filling(GAINS.flip(0), budget=200.0)
    assert p.sum().item() == pytest.approx(200) and (p + 1 / GAINS.flip(0).double()).std() < 1e-6  # one level over all


@pytest.mark.parametrize(
    ("entropy", "dimension", "nats"), [(0.01, 1.174, 2.307), (0.1, 1.587, 2.294), (1.0, 2.779, 2.106), (10.0, 2.995, 1.948)]
)
def test_entropy_keeps_every_mode_alive(entropy, dimension, nats):
    p = anti_collapse(GAINS, budget=1.0, entropy=entropy)
    s = -(p * p.log()).sum()
    assert p.sum().item() == pytest.approx(1, abs=1e-9) and (p > 0).all()
    assert s.exp().item() == pytest.approx(dimension, abs=6e-4)
    assert carried(GAINS, p).item() == pytest.approx(nats, abs=6e-4)


@pytest.mark.parametrize("budget", [0.3, 5.0])
def test_no_other_allocation_is_better(budget):
    p = anti_collapse(GAINS, budget=budget, entropy=0.3)

    def value(q):
        return carried(GAINS, q) - 0.3 * torch.xlogy(q / budget, q / budget).sum()

    for seed in range(20):
        q = (p + 0.05 * budget * normal(3, seed=seed)).abs() + 1e-9
        assert value(q * budget / q.sum()) < value(p)
