"""Pictures of pendulums are split by swing, and a code that holds the state is read without loss."""

import math

import pandas as pd
import pytest
import torch

from lib.data.dynamics.pendulum import pendulum_pixels
from lib.experiments.information_koopman import pictures
from lib.koopman.autoencoder import Autoencoder
from lib.koopman.forecast import Settled
from lib.koopman.members import Trained
from tests.experiments.information_koopman.samples import waves
from tests.samples import normal


def swings():
    return pendulum_pixels(trajectories=5, steps=15, dt=0.1, seed=0)


def test_pictures_are_split_by_swing_and_shrunk_by_means():
    data = swings()
    made = pictures.sets(data, [0, 1], held=0.25, shrink=2)
    assert made.train.shape == (2, 4, 16, 2 * 24 * 24) and torch.equal(made.test_states[1], data.truth["states"][[1]])
    blocks = data.x.unflatten(-1, (24, 2)).unflatten(-3, (24, 2)).mean((-1, -3)).flatten(2)
    kept = blocks[1:]
    spread = (kept - kept.mean((0, 1))).square().mean().sqrt()
    torch.testing.assert_close(made.test[0, 0].double(), (blocks[0] - kept.mean((0, 1))) / spread, atol=1e-5, rtol=1e-5)


def test_a_code_that_holds_the_state_is_read_without_loss_on_other_swings():
    states = swings().truth["states"]
    code = torch.stack([states[..., 0].cos() * 3 + 1, states[..., 0].sin(), states[..., 1]], -1) @ normal(3, 3, seed=1)
    found = pictures.correlations(code[:4], states[:4], code[4:], states[4:])
    assert min(found.values()) > 1 - 1e-9
    circle = code.clone()
    circle = torch.stack([states[..., 0].cos(), states[..., 0].sin()], -1)
    without = pictures.correlations(circle[:4], states[:4], circle[4:], states[4:])
    assert without["angle"] > 1 - 1e-9 and abs(without["speed"]) < 0.9
    noise = pictures.correlations(normal(4, 16, 2, seed=1), states[:4], normal(1, 16, 2, seed=2), states[4:])
    assert abs(noise["sine"]) < 0.8 and abs(noise["speed"]) < 0.8


def test_each_variant_is_measured_on_swings_that_it_has_not_seen():
    budget = pictures.Budget(epochs=1, batch=4, code=4, channels=(2, 3))
    found = [pictures.unit(swings(), [3, 4], budget, name) for name in ("whole", "no gamma")]
    whole, cut = (pd.DataFrame(tables["members"]) for tables in found)
    assert len(whole) == 2 and (whole.error != cut.error).all() and whole.cosine.between(-1, 1).all()
    assert len(found[0]["codes"]) == 16 and set(found[0]["codes"][0]) == {
        "seed",
        "variant",
        "first",
        "second",
        "angle",
        "speed",
    }
    with pytest.raises(ValueError, match='with the truth "states"'):
        pictures.sets(waves(), [0], held=0.25, shrink=2)


def test_a_lost_member_has_no_numbers():
    made = pictures.sets(swings(), [0], held=0.25, shrink=2)
    shape = {"fields": (2, 24, 24), "channels": (2,), "hidden": [], "code": 3, "activation": "tanh"}
    model = Autoencoder([0], 1152, shape)
    found = Trained(Settled(model, torch.eye(3)[None], torch.zeros(1, 2, 1152)), [], ["diverged at epoch 1"])
    row = pictures.scored(found, [{"seed": 0}], made)[0]
    assert math.isnan(row["cosine"]) and math.isnan(row["error"]) and row["outcome"] == "diverged at epoch 1"
