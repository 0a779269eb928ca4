"""Language in a bottle: choices against brute force, scores by hand, shares that sum to one."""

import math
from itertools import combinations

import pytest
import torch

from lib.concepts import labo
from lib.concepts.bottleneck import accuracy, cosines
from tests.concepts.samples import rows
from tests.samples import normal


def problem(seed, size):
    v = normal(size, 5, seed=seed)
    likeness = cosines(v, v).clamp(0, 1)
    worth = normal(size, seed=seed + 1).abs()
    return worth, (likeness + likeness.T) / 2


def test_lazy_choice_is_the_greedy_choice():
    for seed in range(40):
        worth, likeness = problem(seed, 30)
        assert labo.lazy_greedy(worth, likeness, 8) == labo.greedy(worth, likeness, 8)
    worth, likeness = torch.zeros(12).double(), torch.ones(12, 12).double()  # all gains tie
    assert labo.lazy_greedy(worth, likeness, 4) == labo.greedy(worth, likeness, 4) == [0, 1, 2, 3]


def test_greedy_keeps_its_guarantee_against_all_choices():
    for seed in range(25):
        worth, likeness = problem(seed + 100, 9)
        for k in (1, 2, 4):
            best = max(labo.value(c, worth, likeness) for c in combinations(range(9), k))
            assert labo.value(labo.lazy_greedy(worth, likeness, k), worth, likeness) >= (1 - 1 / math.e) * best
            assert k > 1 or labo.value(labo.lazy_greedy(worth, likeness, k), worth, likeness) == pytest.approx(best)


def test_value_is_worth_and_coverage():
    worth, likeness = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.0]])
    assert labo.value([0, 2], worth, likeness) == pytest.approx(4 + 1 + 0.5 + 1) and labo.value([], worth, likeness) == 0


def test_what_tells_classes_apart_lies_between_nothing_and_log_k():
    similarity = torch.tensor([[1.0, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]]).double()
    torch.testing.assert_close(labo.discriminability(similarity), torch.tensor([0, math.log(4), math.log(2)]).double())


def test_the_coded_score_weighs_the_printed_one_by_the_prior():
    similarity = normal(20, 4, seed=0).abs()
    joint = similarity / (4 * similarity.sum(0))
    m = joint.sum(1)
    as_coded = (joint * (joint / (m[:, None] / 4)).log()).sum(1)
    torch.testing.assert_close(labo.prior_weighted(similarity), as_coded)
    assert m.sum().item() == pytest.approx(1.0)
    assert labo.prior_weighted(similarity).argsort().tolist() != labo.discriminability(similarity).argsort().tolist()


def test_similarity_is_the_mean_cosine_of_a_class():
    train, _, bank = rows()
    found = labo.class_similarity(train.x, train.y, bank.vectors)
    want = (train.x[train.y == 2] @ bank.vectors[4]).mean()
    assert found.shape == (6, 4) and found[4, 2].item() == pytest.approx(want.item())


def test_selection_takes_what_a_class_alone_has():
    train, _, bank = rows()
    similarity = labo.class_similarity(train.x, train.y, bank.vectors).clamp_min(0)
    offered = {k: [k, 4, 5] for k in range(4)}
    assert labo.select(offered, bank.vectors, similarity, k=1, beta=0.0) == {k: [k] for k in range(4)}
    assert all(len(v) == 3 for v in labo.select(offered, bank.vectors, similarity, k=9).values())


def test_labo_learns_shares_that_sum_to_one():
    train, _, bank = rows()
    valid = rows(300, seed=1)[0]
    owners = {k: [k] for k in range(4)}
    model = labo.labo(train, valid, bank, owners=owners, epochs=60)
    torch.testing.assert_close(model.weights.sum(1), torch.ones(4).double())
    assert accuracy(model, valid.x, valid.y) > 0.95
    first = labo.labo(train, valid, bank, owners=owners, epochs=1)
    want = math.e / (math.e + 5)
    assert first.weights[2, 2].item() == pytest.approx(want) and first.weights[2, 3].item() == pytest.approx(want / math.e)
    assert torch.equal(labo.labo(train, valid, bank, owners=owners, epochs=60).weights, model.weights)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda v, s: labo.select({0: [0], 1: []}, v, s, k=1), r"classes \[1\] have no candidate"),
        (lambda v, s: labo.select({0: [0], 1: [1]}, v, -s, k=1), "clip at 0"),
        (lambda v, s: labo.select({0: [0], 1: [1]}, v, s, k=0), "k must be a whole number"),
        (lambda v, s: labo.select({0: [0], 1: [1]}, v, s, k=1, alpha=-1.0), "alpha and beta must be >= 0"),
        (lambda v, s: labo.select({0: [0], 1: [1]}, v, s, k=1, score="best"), "unknown score of sentences"),
        (lambda v, s: labo.greedy(-torch.ones(2), torch.eye(2), 1), "symmetric, >= 0"),
    ],
)
def test_selection_refuses(call, says):
    with pytest.raises(ValueError, match=says):
        call(torch.eye(2).double(), torch.tensor([[1.0, 0.5], [0.5, 1.0]]).double())
