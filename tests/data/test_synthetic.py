"""Every generator has the mutual information that it says: by tables, by integration, and by an estimator of another kind."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import dblquad
from sklearn.metrics import mutual_info_score
from torch import Tensor

from lib.data import sources, synthetic
from lib.estimators.knn import mi_ksg, mi_mixed
from tests.data.samples import MIRROR, mirrored


def dense(d, off):
    return torch.eye(d, dtype=torch.float64) * (1 - off) + off


# Values of [czyz2023beyond], recomputed.


@pytest.mark.parametrize(("d", "mi"), [(2, 0.2939), (3, 0.4133), (5, 0.5928), (25, 1.2922), (50, 1.6243)])
def test_dense_normals(d, mi):
    assert synthetic.normal_pair(2, dense(2 * d, 0.5), d, seed=0).truth["mi"] == pytest.approx(mi, abs=6e-5)


def test_two_correlated_pairs_among_many():
    s = torch.eye(10, dtype=torch.float64)
    for i in (0, 1):
        s[i, 5 + i] = s[5 + i, i] = 0.8
    assert synthetic.normal_pair(2, s, 5, seed=0).truth["mi"] == pytest.approx(1.0217, abs=6e-5)


@pytest.mark.parametrize(
    ("dx", "dy", "freedom", "mi"),
    [(1, 1, 1, 0.2242), (2, 2, 1, 0.4319), (2, 2, 2, 0.1931), (3, 3, 2, 0.2909), (3, 3, 3, 0.1787), (5, 5, 2, 0.4482)],
)
def test_students(dx, dy, freedom, mi):
    assert synthetic.student_pair(2, dx, dy, freedom=freedom, seed=0).truth["mi"] == pytest.approx(mi, abs=6e-5)


@pytest.mark.parametrize(("width", "mi"), [(0.1, 1.7094), (0.75, 0.3333), (0.5, 0.5)])
def test_additive_noise(width, mi):
    assert synthetic.additive_uniform(2, width, seed=0).truth["mi"] == pytest.approx(mi, abs=6e-5)


@pytest.mark.parametrize("k", [0.5, 3.0])
def test_gamma_exponential_information_by_integration(k):
    a = 1 / k

    def inner(v, u):  # of x = log g = u and y = v: log p(y|x) / p(y), with p(y) = a e^v (1 + e^v)^-(a + 1)
        joint = math.exp(a * u - math.exp(u) - math.lgamma(a) + u + v - math.exp(u + v))
        return joint * (u + v - math.exp(u + v) - math.log(a) - v + (a + 1) * math.log1p(math.exp(v)))

    value = dblquad(inner, -18 * k, 4, -10, 18 * k + 2, epsabs=1e-6)[0]
    assert synthetic.log_gamma_exponential(2, k, seed=0).truth["mi"] == pytest.approx(value, abs=2e-3)


def test_smoothed_uniforms_are_additive_ones():
    for a, mi in ((0.5, math.log(2) + 0.25), (2.0, 0.25)):  # log(1/a) + a/2, and 1/(2a) above 1
        assert synthetic.additive_uniform(2, a / 2, seed=0).truth["mi"] == pytest.approx(mi)


def test_student_information_by_integration():
    def inner(y, x, v=3):
        joint = math.exp(-(v + 2) / 2 * math.log1p((x * x + y * y) / v)) / (2 * math.pi)
        return joint * math.log(joint / (stats.t.pdf(x, v) * stats.t.pdf(y, v)))

    value = 4 * dblquad(inner, 0, 60, 0, 60, epsabs=1e-5)[0]
    assert synthetic.student_pair(2, 1, 1, freedom=3, seed=0).truth["mi"] == pytest.approx(value, abs=2e-3)


# The samples themselves.


@pytest.mark.parametrize("shape", [0.05, 1.0, 4.0])
def test_log_gammas_have_their_margins(shape):
    of_y = lambda t: -np.expm1(-shape * np.logaddexp(0, t))  # noqa: E731
    pairs = [synthetic.log_gamma_exponential(5000, 1 / shape, seed=s)[:2] for s in range(5)]
    for side, cdf in enumerate((stats.loggamma(shape).cdf, of_y)):
        found = [stats.kstest(pair[side][:, 0].double().numpy(), cdf).pvalue for pair in pairs]
        assert np.mean(found) > 0.2  # of five even draws: 0.5, spread 0.13


def test_normals_have_their_covariance():
    s = dense(5, 0.3)
    x, y, _ = synthetic.normal_pair(40_000, s, 2, seed=0)
    assert (torch.cov(torch.cat([x, y], 1).T.double()) - s).abs().max() < 0.03


def test_students_have_their_margins():
    x, _, _ = synthetic.student_pair(5000, 1, 2, freedom=3, seed=0)
    assert stats.kstest(x[:, 0].numpy(), stats.t(3).cdf).pvalue > 0.01


TASKS = {
    "gamma": lambda s: synthetic.log_gamma_exponential(4000, 4.0, seed=s),
    "student": lambda s: synthetic.student_pair(4000, 1, 1, freedom=2, seed=s),
    "additive_uniform": lambda s: synthetic.additive_uniform(4000, 0.2, seed=s),
    "wide_additive_uniform": lambda s: synthetic.additive_uniform(4000, 0.75, seed=s),
    "normal": lambda s: synthetic.normal_pair(4000, dense(3, 0.6), 1, seed=s),
    "discrete_mixture": lambda s: synthetic.discrete_mixture(4000, 5, seed=s),
}


@pytest.mark.parametrize("name", TASKS)
def test_an_estimator_finds_the_information(name):
    mi = mi_mixed if name == "discrete_mixture" else mi_ksg
    draws = [TASKS[name](seed) for seed in range(4)]
    assert np.mean(
        [mi(torch.asinh(d.x) if name == "student" else d.x, d.y.asinh() if name == "student" else d.y) for d in draws]
    ) == (pytest.approx(draws[0].truth["mi"], abs=0.04))


def test_a_noisy_channel_has_its_plug_in_information():
    x, y, truth = synthetic.noisy_channel(200_000, 4, 0.3, seed=0)
    assert mutual_info_score(x[:, 0].numpy(), y.numpy()) == pytest.approx(truth["mi"], abs=0.003)
    assert (x[:, 0].long() != y).float().mean().item() == pytest.approx(0.3, abs=0.005)


@pytest.mark.parametrize("name", synthetic.KEEPS_MI)
def test_maps_are_one_to_one_and_keep_the_information(name):
    x, y, truth = synthetic.normal_pair(4000, dense(4, 0.5), 2, seed=0)
    moved = synthetic.KEEPS_MI[name](x.double())
    assert moved.shape == x.shape and len(moved.unique(dim=0)) == len(x)
    assert mi_ksg(moved, y.double()).item() == pytest.approx(truth["mi"], abs=0.06)


def test_bimodal_columns_are_a_mixture_and_exact_in_the_tails():
    x = torch.linspace(-12, 12, 97, dtype=torch.float64)[:, None]
    t = synthetic.bimodal(x)
    below, above = (0.3 * stats.norm.cdf(s * t) + 0.7 * stats.norm.cdf(s * (t - 5)) for s in (1, -1))
    low = (x <= 0).numpy()
    assert below[low] == pytest.approx(stats.norm.cdf(x)[low], rel=1e-9, abs=0)
    assert above[~low] == pytest.approx(stats.norm.sf(x)[~low], rel=1e-9, abs=0)


def test_wiggly_rises_everywhere():
    x = torch.linspace(-30, 30, 100_001, dtype=torch.float64)[:, None]
    slope = synthetic.wiggly(x).diff(dim=0) / x.diff(dim=0)
    assert slope.min() >= 0.16 and slope.max() > 1.5


def test_spirals_keep_the_norm_and_rolls_their_radius():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(synthetic.spiral(x).norm(dim=1), x.norm(dim=1))
    rolled = synthetic.swiss_roll(x[:, :1])
    assert rolled.norm(dim=1).argsort().tolist() == x[:, 0].argsort().tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: synthetic.normal_pair(5, torch.tensor([[1.0, 2.0], [2.0, 1.0]]), 1, seed=0),
            "not symmetric and positive definite",
        ),
        (lambda: synthetic.normal_pair(5, torch.eye(2), 2, seed=0), r"must be \(d, d\) with d > dx = 2 > 0"),
        (lambda: synthetic.student_pair(5, 1, 1, freedom=0, seed=0), "freedom must be a whole number >= 1, got 0"),
        (lambda: synthetic.additive_uniform(5, -1.0, seed=0), "width must be a positive finite number"),
        (lambda: synthetic.log_gamma_exponential(5, 0.0, seed=0), "shape must be a positive finite number"),
        (lambda: synthetic.noisy_channel(5, 3, 1.5, seed=0), r"error must lie in \(0, 1\), got 1.5"),
        (lambda: synthetic.noisy_channel(5, 1, 0.5, seed=0), "classes must be a whole number >= 2, got 1"),
    ],
)
def test_refuses_what_has_no_truth(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Exact tasks.


def test_the_twelve_bit_task_is_the_published_one():
    task = synthetic.twelve_bit()
    assert task.x.shape == (4096, 12) and task.truth["ones"] == int(task.y.sum()) == 2118
    p = 2118 / 4096
    assert task.truth["mi"] == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p), abs=1e-12)
    assert task.truth["mi"] == pytest.approx(0.6926, abs=1e-4)
    words = (task.x.long() * 2 ** torch.arange(11, -1, -1)).sum(1)
    assert torch.equal(words, torch.arange(4096)), "every word once, in counting order"


def test_the_twelve_bit_rule_keeps_the_symmetry_of_the_icosahedron():
    adjacent = torch.zeros(12, 12, dtype=torch.bool)
    for i, touched in enumerate(synthetic.NEIGHBOURS):
        adjacent[i, list(touched)] = True
    assert torch.equal(adjacent, adjacent.T) and (adjacent.sum(1) == 5).all()
    opposite = dict(synthetic.ANTIPODES) | {b: a for a, b in synthetic.ANTIPODES}
    assert sorted(opposite) == list(range(12))
    assert all(not adjacent[i, j] and not (adjacent[i] & adjacent[j]).any() for i, j in opposite.items())
    # A turn of the solid maps vertices so that neighbours stay neighbours; labels must not notice.
    turns = [perm for perm in automorphisms(adjacent) if perm != list(range(12))]
    assert len(turns) == 119
    task = synthetic.twelve_bit()
    for perm in turns[:10]:
        moved = (task.x[:, perm].long() * 2 ** torch.arange(11, -1, -1)).sum(1)
        assert torch.equal(task.y[moved], task.y)


def automorphisms(adjacent: Tensor) -> list[list[int]]:
    found = []

    def grow(image: list[int]) -> None:
        k = len(image)
        if k == 12:
            found.append(image)
            return
        for v in set(range(12)) - set(image):
            if all(adjacent[i, k] == adjacent[image[i], v] for i in range(k)):
                grow([*image, v])

    grow([])
    return found


@mirrored
def test_the_twelve_bit_task_is_the_published_file(tmp_path, monkeypatch):
    from scipy.io import loadmat

    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(MIRROR))
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path))
    stored = loadmat(sources.fetch("tishby_var_u")["var_u.mat"])
    x, y = torch.tensor(stored["F"]).long(), torch.tensor(stored["y"]).flatten().long()
    words = (x * 2 ** torch.arange(11, -1, -1)).sum(1)
    assert torch.equal(synthetic.twelve_bit().y[words], y)


def test_gaussian_pairs_have_their_correlation():
    x, y, truth = synthetic.gaussian_pair(20_000, 0.6, d=2, seed=0)
    assert truth["mi"] == pytest.approx(-math.log(1 - 0.36), rel=1e-12)
    both = torch.corrcoef(torch.cat([x, y], 1).T)
    assert both[:2, 2:].diag().sub(0.6).abs().max() < 0.02
    with pytest.raises(ValueError, match=r"rho must lie in \(-1, 1\), got 1"):
        synthetic.gaussian_pair(10, 1, seed=0)


def test_linear_gaussian_has_the_information_it_says():
    task = synthetic.linear_gaussian(50_000, torch.tensor([1.0, 2.0]), noise=0.5, seed=0)
    assert task.truth["mi"] == pytest.approx(0.5 * math.log(1 + 5 / 0.25), rel=1e-12)
    assert (task.y - task.x @ torch.tensor([[1.0], [2.0]])).var().item() == pytest.approx(0.25, rel=0.03)
