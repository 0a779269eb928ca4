"""Dictionaries that were planted are found and named, and a member is itself in company."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from lib.concepts import discover
from lib.concepts.bottleneck import accuracy, cosines, explain, logits
from lib.core.types import Words
from tests.concepts.samples import BANK, TRAIN, VALID
from tests.samples import normal


def sparse_codes(n, *, seed, atoms=24, width=16):
    """Rows of three of 24 atoms in 16 dimensions, with the atoms."""
    draw = torch.Generator().manual_seed(seed)
    d = torch.nn.functional.normalize(torch.randn(atoms, width, generator=draw, dtype=torch.float64), dim=1)
    s = torch.zeros(n, atoms, dtype=torch.float64)
    s.scatter_(1, torch.rand(n, atoms, generator=draw).argsort(1)[:, :3], 1.0)
    return s * (0.5 + torch.rand(n, atoms, generator=draw, dtype=torch.float64)) @ d, d


def matched(found, truth):
    near = cosines(truth, found)
    return near[linear_sum_assignment(near.numpy(), maximize=True)].mean().item()


def test_a_planted_dictionary_is_found_by_a_price_that_is_high_enough():
    x, truth = sparse_codes(6000, seed=0)
    found = discover.learn(x, units=48, prices=[0.01, 1.0, 1.0], seeds=[0, 0, 1], steps=1500)
    low, high, other = (matched(found.atoms[i], truth) for i in range(3))
    assert min(high, other) > 0.9 and low < high - 0.1
    torch.testing.assert_close(found.atoms.norm(dim=2), torch.ones(3, 48).double())
    share = discover.explained(found, x)
    assert share[0] > share[1] > 0.7


def test_a_member_is_itself_in_company():
    x, _ = sparse_codes(500, seed=1)
    both = discover.learn(x, units=20, prices=[0.1, 0.4], seeds=[3, 5], steps=40)
    alone = discover.learn(x, units=20, prices=[0.4], seeds=[5], steps=40)
    torch.testing.assert_close(both.atoms[1], alone.atoms[0], atol=1e-10, rtol=0)


def test_dead_units_start_anew_at_rows_and_forget_their_moments():
    a, draws = normal(50, 4, seed=0), [torch.Generator().manual_seed(0)]
    weights = [w.requires_grad_() for w in discover.begin(6, 4, draws)]
    adam = torch.optim.Adam(weights, 0.1)
    sum(w.square().sum() for w in weights).backward()
    adam.step()
    before, dead = [w.detach().clone() for w in weights], torch.tensor([[False, True, False, False, True, False]])
    with torch.no_grad():
        discover.resample(weights, adam, dead, a, draws)
    unit = torch.nn.functional.normalize(a - before[3], dim=1)
    assert (cosines(weights[2][0, dead[0]].detach(), unit) > 1 - 1e-9).any(1).all()
    want = 0.2 * before[0][0, ~dead[0]].norm(dim=1).mean()
    torch.testing.assert_close(weights[0][0, dead[0]].norm(dim=1).detach(), want.expand(2))
    assert torch.equal(weights[2][0, ~dead[0]], before[2][0, ~dead[0]]) and (weights[1][0, dead[0]] == 0).all()
    assert (adam.state[weights[2]]["exp_avg"][0, dead[0]] == 0).all() and adam.state[weights[2]]["exp_avg"].abs().max() > 0
    with pytest.raises(ValueError, match="all 6 units of member 0 are dead"):
        discover.resample(weights, adam, torch.ones(1, 6, dtype=torch.bool), a, draws)


def test_units_are_named_by_the_nearest_word():
    x, truth = sparse_codes(4000, seed=2)
    found = discover.learn(x, units=32, prices=[1.0], seeds=[0], steps=800)
    vocabulary = Words([f"w{j}" for j in range(24)], truth)
    naming = discover.name_units(found, 0, vocabulary)
    near = cosines(found.atoms[0], truth)
    assert naming.names == [f"w{j}" for j in near.argmax(1).tolist()]
    torch.testing.assert_close(naming.margin, near.sort(1).values[:, -1] - near.sort(1).values[:, -2])
    fires = discover.codes(found, 0)(x) > 0
    torch.testing.assert_close(found.firing[0], fires.double().mean(0))
    assert naming.dead.tolist() == (~fires.any(0)).tolist()


def test_discovered_concepts_tell_planted_classes_without_a_bias():
    found = discover.learn(TRAIN.x, units=32, prices=[0.3], seeds=[0], steps=600)
    model = discover.discovered(TRAIN, VALID, found, 0, BANK)
    assert (model.bias == 0).all() and accuracy(model, VALID.x, VALID.y) > 0.9
    assert len(set(model.concepts)) == len(model.concepts)
    why = explain(model, VALID.x)
    torch.testing.assert_close(why.contributions.sum(1) + why.rest, logits(model, VALID.x).amax(1))


def test_equal_names_are_numbered():
    assert discover.numbered(["sky", "sea", "sky", "sky"]) == ["sky", "sea", "sky 2", "sky 3"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"units": 3}, "units must be >= 16"),
        ({"prices": [0.1, 0.2]}, "prices and seeds pair"),
        ({"prices": [0.0]}, "price must be a positive"),
        ({"steps": 0}, "steps must be a whole number"),
    ],
)
def test_learning_refuses(given, says):
    with pytest.raises(ValueError, match=says):
        discover.learn(TRAIN.x, **{"units": 32, "prices": [0.1], "seeds": [0]} | given)
