"""Two published systems: their conserved quantities and rates, and losses that fall."""

import math

import pandas as pd
import pytest
import torch

from lib.experiments import lusch_koopman


def test_the_pendulum_has_gravity_one_and_the_manifold_its_rates():
    x = lusch_koopman.orbits("pendulum", 0, 4)
    energy = x[..., 1].square() / 2 - x[..., 0].cos()
    assert energy.std(1).max() < 1e-9 and energy.max() < 0.99
    slow = lusch_koopman.orbits("slow_manifold", 0, 3)
    torch.testing.assert_close(slow[:, 1, 0], slow[:, 0, 0] * math.exp(-0.05 * 0.02))


@pytest.mark.parametrize("name", lusch_koopman.SYSTEMS)
def test_losses_of_two_sets_fall_and_are_finite(name):
    budget = lusch_koopman.Budget(1, trajectories=32, batch=16, lr=3e-3)
    first, later = (
        pd.DataFrame(lusch_koopman.unit([0, 1], budget._replace(epochs=epochs), name)["members"]) for epochs in (1, 16)
    )
    assert (first.outcome == "ok").all() and (later.loss < 0.9 * first.loss).all()
    assert (later.published == lusch_koopman.SYSTEMS[name].published).all()
