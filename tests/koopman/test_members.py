"""Members of many seeds and recipes: what is cut, weighed and scored is what it says."""

import pytest
import torch

from lib.koopman import members
from lib.koopman.autoencoder import PAPER, Recipe
from lib.koopman.members import cut, errors, outcome, weights
from tests.samples import normal


def test_windows_do_not_overlap_or_cross_a_seam():
    x = torch.arange(2 * 3 * 7).view(2, 3, 7, 1)
    found = cut(x, 3)
    assert found.shape == (2, 6, 3, 1) and torch.equal(found[1, 2:4, :, 0].flatten(), x[1, 1, :6, 0])


def test_weights_go_seed_by_seed_and_equal_ones_are_one_number():
    assert weights([0.0, 2.0], 2).tolist() == [0, 2, 0, 2] and weights([1.0, 1.0], 2) == 1.0


def test_errors_are_in_deviations_and_outcomes_are_named():
    truth = normal(4, 6, 3, seed=0)
    far = truth.clone()
    far[:, 5] += 1
    size = (truth - truth.mean((0, 1))).square().mean().sqrt().item()
    assert errors(far, truth, [1, 5]) == pytest.approx({"nrmse_1": 0.0, "nrmse_5": 1 / size})
    assert outcome(torch.tensor([-1, 4, 2])) == "left the range in 2 of 3" and outcome(torch.tensor([-1])) == "ok"


def test_recipes_of_one_program_keep_their_weights():
    merged = members.merged([Recipe(), PAPER], 2)
    assert merged.alpha.tolist() == [0, 2, 0, 2] and merged.identity == 1.0
    assert merged.information == PAPER.information and merged.temperature == PAPER.temperature
