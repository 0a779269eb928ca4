"""Concept bottlenecks: heads against scikit-learn, choices against brute force, models against what they are made of."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from lib.concepts import baselines, labo
from lib.concepts.bottleneck import (
    accuracy,
    bypass,
    cosines,
    explain,
    intervene,
    logits,
    model_of,
    predict,
    standardised,
    words,
)
from lib.concepts.elastic import Path, elastic_path, objective, penalties
from lib.core.types import Rows, Words
from tests.samples import normal, planted


def scores(n=300, size=12, classes=4, *, seed=0):
    """Scores that share a direction, as cosines do, standardised; and labels that half of them tell."""
    u = normal(n, size, seed=seed) + normal(n, 1, seed=seed + 1)
    y = (u[:, :classes] * 1.5 + normal(n, classes, seed=seed + 2)).argmax(1)
    return (u - u.mean(0)) / u.std(0, correction=0), y


def by_saga(u, y, strength, ratio, *, bias=True):
    options = {"l1_ratio": ratio, "C": 1 / (strength * len(u)), "fit_intercept": bias}
    head = LogisticRegression(solver="saga", tol=1e-8, max_iter=50_000, random_state=0, **options)
    return head.fit(u.numpy(), y.numpy())


@pytest.mark.parametrize("ratio", [1.0, 0.99, 0.3])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "free"])
def test_a_path_is_what_another_solver_finds(ratio, bias):
    u, y = scores()
    lambdas = penalties(u, y, count=5, ratio=ratio, factor=4.0, bias=bias)
    path = elastic_path(u, y, lambdas=lambdas, ratio=ratio, tolerance=1e-5, bias=bias)
    assert (path.missed <= 1e-5).all()
    reached = objective(path, u, y, ratio=ratio)
    for i in (1, 2, 4):
        peer = by_saga(u, y, lambdas[i].item(), ratio, bias=bias)
        want, offset = torch.from_numpy(peer.coef_), torch.from_numpy(peer.intercept_ * np.ones(4))
        theirs = objective(Path(want[None], offset[None], lambdas[i : i + 1], None), u, y, ratio=ratio).item()
        assert reached[i].item() == pytest.approx(theirs, rel=1e-6) and reached[i] < theirs + 1e-9
        if ratio == 1:
            continue  # the lasso is flat where all classes move together, and its optimum need not be one point
        near = 1e-4 if ratio < 0.9 else 3e-3
        torch.testing.assert_close(path.weights[i], want, atol=near, rtol=0)
        torch.testing.assert_close(path.bias[i], offset - offset.mean(), atol=near, rtol=0)


def test_the_first_penalty_leaves_no_weight_and_the_next_some():
    u, y = scores(seed=5)
    for bias in (True, False):
        lambdas = penalties(u + 3, y, count=2, bias=bias)
        path = elastic_path(u + 3, y, lambdas=torch.cat([1.001 * lambdas[:1], 0.97 * lambdas[:1]]), tolerance=1e-4, bias=bias)
        assert (path.weights[0] == 0).all() and (path.weights[1] != 0).any()
        share = y.bincount() / len(y)
        want = share.log() if bias else torch.zeros(4)
        torch.testing.assert_close(path.bias[0], (want - want.mean()).double(), atol=1e-4, rtol=0)


def test_a_looser_tolerance_costs_little_of_the_objective():
    u, y = scores(seed=7)
    lambdas = penalties(u, y, count=20)
    near, exact = (objective(elastic_path(u, y, lambdas=lambdas, tolerance=t), u, y) for t in (1e-2, 1e-6))
    assert ((near - exact) < 1e-4).all() and ((near - exact) > -1e-12).all()


def test_nearly_parallel_scores_are_solved_for_too():
    """By coordinates alone these take thousands of sweeps; a small subgradient certifies the optimum, whoever finds it."""
    base = normal(300, 4, seed=2)
    u = normal(300, 1, seed=1) + 0.02 * base @ normal(4, 16, seed=3) + 1e-3 * normal(300, 16, seed=4)
    y, u = (base + normal(300, 4, seed=5)).argmax(1), (u - u.mean(0)) / u.std(0, correction=0)
    path = elastic_path(u, y, lambdas=penalties(u, y, count=40), steps=20)
    assert (path.missed <= 1e-2).all() and (path.weights[-1] != 0).sum() > 20


def test_the_objective_is_written_out():
    u, y = scores(n=20, seed=3)
    path = elastic_path(u, y, lambdas=torch.tensor([0.05]), ratio=0.7)
    w, b = path.weights[0], path.bias[0]
    miss = torch.nn.functional.cross_entropy(u @ w.T + b, y)
    assert objective(path, u, y, ratio=0.7).item() == pytest.approx(
        (miss + 0.05 * (0.7 * w.abs().sum() + 0.15 * w.square().sum())).item()
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"y": torch.zeros(300).long()}, "at least 2 classes"),
        ({"y": torch.arange(300) % 2 * 2}, r"none of \[1\]"),
        ({"ratio": 0.0}, "ratio must lie in"),
        ({"lambdas": torch.tensor([0.1, -1.0])}, "lambdas must be a vector of positive"),
        ({"u": torch.full((300, 12), torch.nan)}, "NaN or infinite"),
        ({"tolerance": -1.0}, "tolerance must be a positive"),
    ],
)
def test_a_path_refuses(change, says):
    u, y = scores()
    given = {"u": u, "y": y, "lambdas": torch.tensor([0.1])} | change
    with pytest.raises(ValueError, match=says):
        elastic_path(given.pop("u"), given.pop("y"), **given)


# The model.


def small(residual=None):
    """A model of three concepts, two classes, and its embeddings."""
    x = normal(50, 3, seed=0)
    weights, bias = normal(2, 3, seed=1), normal(2, seed=2)
    return model_of(lambda z: z.double(), weights, bias, x, concepts=["a", "b", "c"], residual=residual), x


def test_contributions_and_rest_are_the_logit():
    for residual in (None, (normal(2, 3, seed=3), normal(2, seed=4))):
        model, x = small(residual)
        why = explain(model, x)
        torch.testing.assert_close(why.contributions.sum(1) + why.rest, logits(model, x).amax(1))
        assert torch.equal(why.label, predict(model, x))
        other = explain(model, x, label=1 - why.label)
        torch.testing.assert_close(other.contributions.sum(1) + other.rest, logits(model, x).amin(1))
        centred = explain(model, model.centre[None])
        torch.testing.assert_close(centred.contributions, torch.zeros(1, 3).double())


def test_an_intervention_sets_what_is_chosen_and_leaves_the_rest():
    model, x = small((normal(2, 3, seed=3), normal(2, seed=4)))
    truth = (normal(50, 3, seed=5) > 0).long()
    none = torch.zeros(3, dtype=torch.bool)
    torch.testing.assert_close(intervene(model, x, truth, none), logits(model, x))
    told = x.clone()
    told[:, 1] = torch.where(truth[:, 1].bool(), x[:, 1].quantile(0.95), x[:, 1].quantile(0.05))
    got = intervene(model, x, truth, torch.tensor([False, True, False]))
    torch.testing.assert_close(got, told @ model.weights.T + model.bias + bypass(model, x))
    each = torch.zeros(50, 3, dtype=torch.bool)
    each[7] = True
    assert (intervene(model, x, truth, each) != logits(model, x)).any(1).nonzero().flatten().tolist() == [7]


def test_interventions_refuse():
    model, x = small()
    with pytest.raises(ValueError, match="truth must have shape"):
        intervene(model, x, torch.full((50, 3), 2), torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="chosen must be bool"):
        intervene(model, x, torch.ones(50, 3), torch.ones(3))


def test_standardised_scores_and_one_that_never_varies():
    x = torch.cat([normal(40, 2, seed=0) * 3 + 1, torch.full((40, 1), 0.1, dtype=torch.float64)], 1)
    u = standardised(lambda z: z, x)(x)
    torch.testing.assert_close(u[:, :2].mean(0), torch.zeros(2).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(u[:, :2].std(0, correction=0), torch.ones(2).double())
    assert u[:, 2].abs().max() < 1e-6


@pytest.mark.parametrize(
    ("names", "vectors", "says"),
    [
        (["a", " "], torch.eye(2), "blank names at"),
        (["a", "a"], torch.eye(2), "more than once"),
        (["a", "b"], torch.tensor([[1.0, 0], [0, 0]]), "zero vectors"),
        (["a"], torch.eye(2), "1 names and 2 vectors"),
        (["a", "b"], torch.eye(2) * torch.inf, "NaN or infinite"),
        (["a", "b"], torch.ones(2, 3), "3 columns and embeddings 2"),
    ],
)
def test_words_refuse(names, vectors, says):
    with pytest.raises(ValueError, match=says):
        words(Words(names, vectors), "concepts", width=2)


# Baselines.


def rows(n=600, *, seed=0):
    x, y, truth, atoms = planted(n, seed=seed)
    return Rows(x, y), truth, Words([f"atom {j}" for j in range(len(atoms))], atoms)


def test_a_probe_is_logistic_regression_of_the_best_strength():
    train, valid = rows()[0], rows(300, seed=1)[0]
    probe = baselines.linear_probe(train, valid)
    u = probe.score(train.x)
    found = {}
    for strength in baselines.STRENGTHS:
        peer = LogisticRegression(C=strength, max_iter=2000).fit(u.numpy(), train.y.numpy())
        found[strength] = peer.score(probe.score(valid.x).numpy(), valid.y.numpy())
    assert accuracy(probe, valid.x, valid.y) == pytest.approx(max(found.values())) and max(found.values()) > 0.95


def test_a_probe_of_two_classes_has_two_rows_that_decide():
    train, _, _ = rows()
    two = Rows(train.x, train.y % 2)
    probe = baselines.linear_probe(two, two, strengths=[1.0])
    torch.testing.assert_close(probe.weights[0], -probe.weights[1])
    peer = LogisticRegression(C=1.0, max_iter=2000).fit(probe.score(two.x).numpy(), two.y.numpy())
    want = torch.from_numpy(peer.decision_function(probe.score(two.x).numpy()))
    made = logits(probe, two.x)
    torch.testing.assert_close(made[:, 1] - made[:, 0], want)


def test_zero_shot_takes_the_nearest_prompt():
    train, _, bank = rows()
    prompts = Words(["k0", "k1", "k2", "k3"], 7 * bank.vectors[:4])
    model = baselines.zero_shot(prompts, train.x)
    assert torch.equal(predict(model, train.x), (train.x @ bank.vectors[:4].T).argmax(1))
    torch.testing.assert_close(logits(model, train.x), 100 * cosines(train.x, bank.vectors[:4]))


def test_random_concepts_are_seeded_unit_and_without_repetition():
    made = baselines.random_vectors(2000, 3, seed=4)
    assert torch.equal(made.vectors, baselines.random_vectors(2000, 3, seed=4).vectors)
    torch.testing.assert_close(made.vectors.square().mean(0), torch.full((3,), 1 / 3).double(), atol=0.03, rtol=0)
    few = baselines.random_words(made, 50, seed=1)
    assert len(set(few.names)) == 50 and few.names != baselines.random_words(made, 50, seed=2).names
    assert torch.equal(few.vectors[3], made.vectors[int(few.names[3].split()[1])])
    with pytest.raises(ValueError, match="give a longer one"):
        baselines.random_words(few, 51, seed=0)


def test_training_labels_need_every_class():
    with pytest.raises(ValueError, match=r"none of \[1\]"):
        baselines.classes_of(torch.tensor([0, 2, 2]))


# LaBo.


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
