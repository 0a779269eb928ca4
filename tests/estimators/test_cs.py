"""Cauchy-Schwarz divergences and their QMI against closed forms, dense formulas and what they must refuse."""

import math

import numpy as np
import pytest
import torch

from lib.data.synthetic import gaussian_pair
from lib.estimators.cs import conditional_cs_divergence, cs_divergence, cs_qmi, misplaced_cs_divergence
from lib.estimators.hsic import hsic
from tests.estimators.samples import mean_of_seeds
from tests.samples import normal

# Closed forms, the smoothing of the kernel included, so that tolerances can be narrow.


@pytest.mark.parametrize("width", [0.25, 0.5, 1.0])
def test_cs_divergence_of_shifted_normals(width):
    got = mean_of_seeds(
        lambda s: cs_divergence(normal(2000, 1, seed=2 * s), normal(2000, 1, seed=2 * s + 1) + 1.5, width=width), range(3)
    )
    assert got == pytest.approx(1.5**2 / (2 + width**2), abs=0.09)  # one seed spreads by 0.05


def test_cs_divergence_of_normals_of_different_spread():
    width, shift = 1.0, torch.tensor([1.0, 0.0], dtype=torch.float64)
    s = torch.eye(2) * (1 + 2.25 + width**2)
    logs = [torch.logdet(z).item() for z in (s, torch.eye(2) * (2 + width**2), torch.eye(2) * (4.5 + width**2))]
    truth = logs[0] - 0.5 * logs[1] - 0.5 * logs[2] + (shift @ torch.linalg.solve(s.double(), shift)).item()
    assert truth == pytest.approx(0.326, abs=1e-3)
    got = mean_of_seeds(
        lambda i: cs_divergence(normal(3000, 2, seed=2 * i) + shift, 1.5 * normal(3000, 2, seed=2 * i + 1), width=width),
        range(3),
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


def test_a_guess_must_have_the_columns_of_its_target():
    x, y = normal(5, 2, seed=0), normal(5, 1, seed=1)
    with pytest.raises(ValueError, match="y has 1 columns and y_hat 2; both samples must live in one space"):
        conditional_cs_divergence(x, y, x, width_x=1.0, width_y=1.0)
