"""Estimators against closed forms and against independent libraries."""

import math

import ennemi
import numpy as np
import pytest
import torch
from sklearn.feature_selection import mutual_info_regression
from sklearn.metrics import mutual_info_score

from lib.data.synthetic import gaussian_pair
from lib.estimators import MI, binning, kde
from lib.estimators.cs import conditional_cs_divergence, cs_divergence, cs_qmi, misplaced_cs_divergence
from lib.estimators.gaussian import mi_gaussian
from lib.estimators.hsic import hsic
from lib.estimators.knn import mi_ksg
from tests.samples import normal


def mean_of_seeds(f, seeds=range(3)):
    values = [float(f(seed)) for seed in seeds]
    return sum(values) / len(values)


# Closed forms, the smoothing of the kernel included, so that tolerances can be narrow.


@pytest.mark.parametrize("width", [0.25, 0.5, 1.0])
def test_cs_divergence_of_shifted_normals(width):
    got = mean_of_seeds(
        lambda s: cs_divergence(normal(2000, 1, seed=2 * s), normal(2000, 1, seed=2 * s + 1) + 1.5, width=width)
    )
    assert got == pytest.approx(1.5**2 / (2 + width**2), abs=0.09)  # one seed spreads by 0.05


def test_cs_divergence_of_normals_of_different_spread():
    width, shift = 1.0, torch.tensor([1.0, 0.0], dtype=torch.float64)
    s = torch.eye(2) * (1 + 2.25 + width**2)
    logs = [torch.logdet(z).item() for z in (s, torch.eye(2) * (2 + width**2), torch.eye(2) * (4.5 + width**2))]
    truth = logs[0] - 0.5 * logs[1] - 0.5 * logs[2] + (shift @ torch.linalg.solve(s.double(), shift)).item()
    assert truth == pytest.approx(0.326, abs=1e-3)
    got = mean_of_seeds(
        lambda i: cs_divergence(normal(3000, 2, seed=2 * i) + shift, 1.5 * normal(3000, 2, seed=2 * i + 1), width=width)
    )
    assert got == pytest.approx(truth, abs=0.03)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8, 0.95])
def test_cs_qmi_and_hsic_of_normal_pairs(rho):
    a = 3.0  # 2 + width^2
    qmi = math.log((a**2 - rho**2) / (a * math.sqrt(a**2 - 4 * rho**2)))
    cross = (a**2 - 4 * rho**2) ** -0.5 + 1 / a - 2 * (a**2 - rho**2) ** -0.5
    pairs = [gaussian_pair(2000, rho, seed=s) for s in range(5)]
    assert np.mean([cs_qmi(p.x, p.y) for p in pairs]) == pytest.approx(qmi, abs=0.006)
    assert np.mean([hsic(p.x, p.y) for p in pairs]) == pytest.approx(cross, abs=0.002)


def test_cs_divergence_is_minus_two_log_cosine_of_embeddings():
    x, y = normal(60, 3, seed=0), normal(40, 3, seed=1) + 0.3
    gram = lambda a, b: torch.exp(-torch.cdist(a, b).square() / (2 * 0.7**2)).mean()  # noqa: E731
    cosine = gram(x, y) / (gram(x, x) * gram(y, y)).sqrt()
    assert cs_divergence(x, y, width=0.7).item() == pytest.approx(-2 * cosine.log().item(), rel=1e-10)


def test_hsic_is_the_trace_of_centred_gram_matrices():
    x, y = normal(15, 2, seed=0), normal(15, 1, seed=1)
    k, q = (torch.exp(-torch.cdist(z, z).square() / (2 * 0.8**2)) for z in (x, y))
    h = torch.eye(15, dtype=torch.float64) - 1 / 15
    assert hsic(x, y, width_x=0.8, width_y=0.8).item() == pytest.approx(((k @ h @ q @ h).trace() / 14**2).item(), rel=1e-9)


def test_a_misplaced_square_is_its_dense_formula_and_goes_unseen_with_narrow_kernels():
    x, y, guess = normal(30, 2, seed=0), normal(30, 1, seed=1), normal(30, 1, seed=2)
    k, own, other, cross = (
        torch.exp(-torch.cdist(a, b).square() / (2 * w**2))
        for a, b, w in ((x, x, 0.5), (y, y, 0.8), (guess, guess, 0.8), (guess, y, 0.8))
    )
    first, second, both = ((k * z).sum(1) / k.square().sum(1) for z in (own, other, cross))
    dense = first.sum().log() + second.sum().log() - 2 * both.sum().log()
    found = misplaced_cs_divergence(x, y, guess, width_x=0.5, width_y=0.8)
    assert found.item() == pytest.approx(dense.item(), rel=1e-10)
    narrow = {"width_x": 1e-3, "width_y": 0.8}
    right = conditional_cs_divergence(x, y, guess, **narrow)
    assert misplaced_cs_divergence(x, y, guess, **narrow).item() == pytest.approx(right.item(), rel=1e-10)


def test_conditional_divergence_is_the_dense_formula():
    x, y, guess = normal(50, 4, seed=0), normal(50, 1, seed=1), normal(50, 1, seed=2)
    k, l1, l2, l21 = (
        torch.exp(-torch.cdist(a, b).square() / 2 / w**2)
        for a, b, w in ((x, x, 0.5), (y, y, 0.8), (guess, guess, 0.8), (guess, y, 0.8))
    )
    within = lambda gram: ((k * gram).sum(1) / k.sum(1).square()).sum().log()  # noqa: E731
    dense = within(l1) + within(l2) - 2 * within(l21)
    assert conditional_cs_divergence(x, y, guess, width_x=0.5, width_y=0.8).item() == pytest.approx(dense.item(), rel=1e-10)
    assert conditional_cs_divergence(x, y, y, width_x=0.5, width_y=0.8).abs() < 1e-12


def test_vectors_taken_for_points_give_the_sum_of_squares():
    y, guess = normal(1, 128, seed=0), normal(1, 128, seed=1)
    assert cs_divergence(y, guess, width=2.0).item() == pytest.approx(((y - guess).square().sum() / 4).item(), rel=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8, 0.95])
@pytest.mark.parametrize(("mi", "tolerance"), [(mi_ksg, 0.03), (mi_gaussian, 0.02)], ids=["ksg", "gaussian"])
def test_information_of_normal_pairs(mi, tolerance, rho):
    truth = gaussian_pair(2, rho, seed=0).truth["mi"]
    assert mean_of_seeds(lambda s: mi(*gaussian_pair(2000, rho, seed=s)[:2]), range(5)) == pytest.approx(truth, abs=tolerance)


def test_gaussian_information_is_biased_up_as_documented():
    got = mean_of_seeds(lambda s: mi_gaussian(*gaussian_pair(200, 0.0, d=3, seed=s)[:2]), range(100))
    assert got == pytest.approx(9 / 400, rel=0.2)


def test_binning_is_biased_up_as_documented():
    got = mean_of_seeds(
        lambda s: MI["binning"](
            torch.rand(4000, 1, generator=torch.Generator().manual_seed(s)), normal(4000, 1, seed=s + 99).erf(), bins=10
        ),
        range(20),
    )
    assert got == pytest.approx(9**2 / 8000, rel=0.25)


def test_binning_of_discrete_values_is_exact():
    words = torch.arange(64)
    x, y = (words // 8)[:, None].double(), (words % 8 // 4 * 4 + words // 32)[:, None].double()
    assert MI["binning"](x, y, bins=8).item() == pytest.approx(mutual_info_score(x[:, 0].numpy(), y[:, 0].numpy()), abs=1e-12)


def test_entropy_of_a_uniform_code_is_its_logarithm():
    codes = torch.cartesian_prod(torch.arange(4), torch.arange(8)).repeat(3, 1)
    assert binning.entropy(codes).item() == pytest.approx(math.log(32), abs=1e-12)


def test_values_outside_the_range_go_to_the_end_bins():
    t = torch.tensor([[-7.0], [-1.0], [0.0], [0.999], [7.0]])
    assert binning.bin_range(t, low=-1.0, high=1.0, bins=30)[:, 0].tolist() == [0, 0, 15, 29, 29]


@pytest.mark.parametrize("width", [0.05, 0.3, 1.0])
def test_kernel_bounds_hold_the_truth_between_them(width):
    # Rows spread like a standard normal: T + noise is near N(0, 1 + w^2), whose information with T is log(1 + 1/w^2) / 2.
    n = 4000
    t = torch.special.ndtri((torch.arange(n, dtype=torch.float64)[:, None] + 0.5) / n)
    truth = 0.5 * math.log1p(1 / width**2)
    assert kde.mi_lower(t, width=width) <= truth + 1e-3
    assert kde.mi_upper(t, width=width) >= truth - 1e-3


def test_kernel_bounds_of_clusters_are_exact():
    t = torch.arange(8.0)[:, None].repeat(16, 1) * 1000
    for bound in (kde.mi_upper, kde.mi_lower):
        assert bound(t, width=1.0).item() == pytest.approx(math.log(8), abs=1e-6)
    labels = torch.arange(128) % 8 // 4
    assert kde.mi_label(t, labels, width=1.0).item() == pytest.approx(math.log(2), abs=1e-6)


# Independent libraries.


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_ksg_agrees_with_scikit_learn_and_ennemi(rho):
    x, y, _ = gaussian_pair(1500, rho, seed=3)
    a, b = x[:, 0].double().numpy(), y[:, 0].double().numpy()
    ours = mi_ksg(x, y).item()
    # scikit-learn adds noise of 1e-10 and cuts at 0.
    assert max(ours, 0) == pytest.approx(mutual_info_regression(a[:, None], b, random_state=0)[0], abs=0.003)
    assert ours == pytest.approx(ennemi.estimate_mi(b, a, k=3)[0, 0], abs=0.003)


def test_ksg_of_several_columns_is_counted_by_hand():
    x, y = normal(60, 2, seed=0), normal(60, 3, seed=1) + normal(60, 2, seed=0).sum(1, keepdim=True)
    a, b = ((z - z.mean(0)) / z.std(0, correction=0) for z in (x, y))
    dx, dy = (torch.cdist(z, z, p=torch.inf) for z in (a, b))
    joint = torch.maximum(dx, dy)
    reach = joint.kthvalue(4, dim=1, keepdim=True).values
    nx, ny = ((d < reach).sum(1).double() for d in (dx, dy))  # the point itself counts
    truth = (
        torch.digamma(torch.tensor(3.0)) + torch.digamma(torch.tensor(60.0)) - (torch.digamma(nx) + torch.digamma(ny)).mean()
    )
    assert mi_ksg(x, y).item() == pytest.approx(truth.item(), abs=1e-6)
