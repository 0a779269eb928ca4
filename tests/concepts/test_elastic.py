"""Paths of sparse heads against another solver and the optimality that certifies them."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from lib.concepts.elastic import Path, elastic_path, objective, penalties
from tests.samples import normal


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
