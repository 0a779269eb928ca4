"""Conditional CS-QMI, MMD, second-order spectra and the unbiased normal form: closed forms, dense forms, libraries."""

import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import kernels
from lib.data.synthetic import gaussian_pair
from lib.estimators import conditional
from lib.estimators.conditional import cs_qmi_conditional, cs_qmi_conditional_normalised
from lib.estimators.cs import cs_divergence, cs_qmi
from lib.estimators.gaussian import mi_gaussian, mi_gaussian_unbiased
from lib.estimators.hsic import hsic, hsic_normalised, hsic_unbiased
from lib.estimators.mmd import mmd, mmd_unbiased
from lib.estimators.renyi import mi_renyi, mi_renyi_conditional, mi_renyi_normalised, renyi_entropy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hyppo.independence import Hsic

ROOT = Path(__file__).parents[1]
WIDTHS = {"width_x": 0.7, "width_t": 0.9, "width_y": 1.3}


def normal(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gram(z, width):
    return torch.exp(-torch.cdist(z, z).square() / (2 * width**2))


# Conditional CS-QMI.


def chain(n, seed, *, through_y=0.8, beside_y=0.0):
    """Jointly normal x, t, y: x and t follow y, and share noise of their own; with the covariance of (x, t, y)."""
    mix = torch.tensor([[0.6, 0.0, 0.0], [beside_y, 0.5, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    mix[:2, 2] = through_y
    return (normal(n, 3, seed=seed) @ mix.T).split(1, 1), mix @ mix.T


def smoothed_qmi(s, w):
    """CS-QMI of a normal pair of covariance s, kernels of squared widths w: the three averages are determinants."""
    own, wide = s.diag().diag(), w.diag()
    return torch.logdet(s + own + wide) - (torch.logdet(2 * s + wide) + torch.logdet(2 * own + wide)) / 2


def conditional_truth(s, width_x, width_t, width_y):
    """Within each smoothed value of y, a normal pair has one covariance."""
    within = s[:2, :2] - torch.outer(s[:2, 2], s[2, :2]) / (s[2, 2] + width_y**2)
    return smoothed_qmi(within, torch.tensor([width_x, width_t], dtype=torch.float64) ** 2).item()


def test_conditional_qmi_is_the_dense_formula_in_blocks_too(monkeypatch):
    x, t, y = normal(60, 2, seed=0), normal(60, 1, seed=1), normal(60, 3, seed=2)
    k, q, m = (gram(z, w) for z, w in zip((x, t, y), WIDTHS.values(), strict=True))
    w = m / m.sum(1, keepdim=True)
    joint = (w @ (k * q) @ w.T).diagonal().mean()
    product = ((w @ k @ w.T).diagonal() * (w @ q @ w.T).diagonal()).mean()
    cross = (w * (w @ k) * (w @ q)).sum(1).mean()
    truth = (joint.log() + product.log() - 2 * cross.log()).item()
    assert cs_qmi_conditional(x, t, y, **WIDTHS).item() == pytest.approx(truth, rel=1e-10)
    monkeypatch.setattr(kernels, "MEMORY_BUDGET", conditional.PANELS * 60 * 8 * 7)  # seven columns a panel
    assert cs_qmi_conditional(x, t, y, **WIDTHS).item() == pytest.approx(truth, rel=1e-10)
    stacked = [torch.stack([z, z.flip(0) ** 2]) for z in (x, t, y)]
    both = cs_qmi_conditional(*stacked, **WIDTHS)
    assert both[0].item() == pytest.approx(truth, rel=1e-10)
    assert both[1].item() == pytest.approx(cs_qmi_conditional(*(z[1] for z in stacked), **WIDTHS).item(), rel=1e-10)


def test_conditional_qmi_of_a_constant_condition_is_the_plain_one():
    x, t, _ = gaussian_pair(200, 0.8, d=2, seed=0)
    same = torch.full((200, 1), 3.0)
    assert cs_qmi_conditional(x.double(), t.double(), same).item() == pytest.approx(
        cs_qmi(x.double(), t.double()).item(), rel=1e-9
    )


def test_conditional_qmi_gradients_by_finite_differences(monkeypatch):
    monkeypatch.setattr(kernels, "MEMORY_BUDGET", conditional.PANELS * 9 * 8 * 4)
    inputs = [normal(9, d, seed=d).requires_grad_() for d in (1, 2, 3)]
    assert torch.autograd.gradcheck(lambda *z: cs_qmi_conditional(*z, **WIDTHS), inputs)


PEAK = """
import resource, torch
from lib import kernels
from lib.estimators.conditional import cs_qmi_conditional
torch.set_num_threads(1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
def step(n):
    inputs = [torch.randn(n, 4).requires_grad_() for _ in range(3)]
    cs_qmi_conditional(*inputs).backward()
step(250)  # libraries warm up
before = peak()
step(1000)
print(peak() - before)
"""


def test_conditional_qmi_and_its_gradient_stay_near_the_budget():
    run = subprocess.run([sys.executable, "-c", PEAK], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 2 * kernels.MEMORY_BUDGET, "all panels kept for the gradient would take 800 MiB"


def test_the_truth_of_normal_variables_is_the_numerical_integral():
    _, s = chain(2, 0, beside_y=0.5)
    widths = {"width_x": 0.7, "width_t": 0.9, "width_y": 0.8}
    grid = torch.linspace(-7, 7, 113, dtype=torch.float64)
    points = torch.cartesian_prod(grid, grid, grid)
    density = torch.exp(-0.5 * ((points @ torch.linalg.inv(s)) * points).sum(1)).reshape(113, 113, 113)
    k, q, m = (gram(grid[:, None], w) for w in widths.values())
    means = torch.zeros(3, dtype=torch.float64)
    marginal = density.sum((0, 1)) / density.sum()
    for at in range(0, 113, 4):
        p = density @ m[:, at]  # (x, t) near the smoothed value y = grid[at]
        p = p / p.sum()
        px, pt = p.sum(1), p.sum(0)
        terms = [(p * (k @ p @ q)).sum(), (px @ k @ px) * (pt @ q @ pt), (p * torch.outer(k @ px, q @ pt)).sum()]
        means += marginal[at] / marginal[::4].sum() * torch.stack(terms)
    joint, product, cross = means.log()
    assert (joint + product - 2 * cross).item() == pytest.approx(conditional_truth(s, **widths), abs=1e-6)


@pytest.mark.parametrize("beside_y", [0.0, 0.5, 1.0])
def test_conditional_qmi_of_normal_variables(beside_y):
    widths = {"width_x": 0.5, "width_t": 0.5, "width_y": 0.5}
    found = []
    for seed in range(5):
        variables, s = chain(600, seed, beside_y=beside_y)
        found.append(float(cs_qmi_conditional(*variables, **widths)))
    assert np.mean(found) == pytest.approx(
        conditional_truth(s, **widths), abs=0.02
    )  # biased up by 0.007, one seed spreads by 0.012


def test_what_a_common_cause_explains_is_independent_given_it():
    # The chain's own noises are independent, so only y ties x to t; smoothing y leaves a little of it.
    found = []
    for seed in range(5):
        (x, t, y), s = chain(500, seed)
        given = cs_qmi_conditional(x, t, y, width_x=0.5, width_t=0.5, width_y=0.1)
        found.append([float(cs_qmi(x, t, width_x=0.5, width_y=0.5)), float(given)])
    plain, given = np.mean(found, 0)
    assert conditional_truth(s, 0.5, 0.5, 0.1) < 1e-3 and plain > 0.1
    assert 0 < given < plain / 3


@pytest.mark.parametrize(("width_y", "stated", "tolerance"), [(1.0, 0.0014, 0.0003), (0.1, 0.014, 0.003)])
def test_the_bias_of_conditional_qmi_is_upward_and_as_stated(width_y, stated, tolerance):
    draws = [[normal(500, 1, seed=3 * s + i) for i in range(3)] for s in range(5)]
    assert np.mean([cs_qmi_conditional(*d, width_y=width_y) for d in draws]) == pytest.approx(stated, abs=tolerance)


def test_averages_over_conditions_come_before_the_logarithm():
    # Two conditions far apart: within them a tied and an independent pair.
    found = []
    for seed in range(5):
        pairs = [gaussian_pair(300, rho, seed=2 * seed + i) for i, rho in enumerate((0.9, 0.0))]
        x, t = (torch.cat([p[i] for p in pairs]) for i in range(2))
        y = torch.arange(600)[:, None] // 300 * 100.0
        found.append(float(cs_qmi_conditional(x, t, y)))
    averages = [[(9 - 4 * r**2) ** -0.5, 1 / 3, (9 - r**2) ** -0.5] for r in (0.9, 0.0)]
    joint, product, cross = np.log(np.mean(averages, 0))
    assert np.mean(found) == pytest.approx(joint + product - 2 * cross, abs=0.016)  # one seed spreads by 0.009


def test_normalised_conditional_qmi_is_one_for_equal_and_zero_for_constant():
    x, y = normal(80, 2, seed=0), normal(80, 1, seed=1)
    assert cs_qmi_conditional_normalised(x, x, y).item() == pytest.approx(1, abs=1e-9)
    assert cs_qmi_conditional_normalised(x, torch.ones(80, 1).double(), y).item() == pytest.approx(0, abs=1e-6)


# MMD.


def mean_kernel(shift, variance, width):
    """Mean of the kernel over a difference of scalars that is N(shift, variance)."""
    return math.exp(-(shift**2) / (2 * (variance + width**2))) / math.sqrt(1 + variance / width**2)


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (0.5, 1.0), (1.5, 2.0)])
@pytest.mark.parametrize("width", [0.5, 1.0])
def test_mmd_of_normals(shift, spread, width):
    same_x, same_y, cross = (mean_kernel(g, v, width) for g, v in ((0, 2), (0, 2 * spread**2), (shift, 1 + spread**2)))
    truth, n, m = same_x + same_y - 2 * cross, 300, 200
    draws = [(normal(n, 1, seed=2 * s), shift + spread * normal(m, 1, seed=2 * s + 1)) for s in range(40)]
    unbiased, biased = (np.array([float(f(*d, width=width)) for d in draws]) for f in (mmd_unbiased, mmd))
    error = unbiased.std() / math.sqrt(40)
    assert abs(unbiased.mean() - truth) < 4 * error
    assert abs(biased.mean() - truth - (1 - same_x) / n - (1 - same_y) / m) < 4 * error


def test_mmd_and_cs_divergence_share_three_averages():
    x, y = normal(70, 3, seed=0), normal(50, 3, seed=1) + 0.4
    a, b, c = (torch.exp(-torch.cdist(u, v).square() / (2 * 0.8**2)).mean().item() for u, v in ((x, x), (y, y), (x, y)))
    assert mmd(x, y, width=0.8).item() == pytest.approx(a + b - 2 * c, rel=1e-10)
    assert cs_divergence(x, y, width=0.8).item() == pytest.approx(math.log(a) + math.log(b) - 2 * math.log(c), rel=1e-10)


def test_mmd_of_equal_samples_is_zero_and_of_far_ones_is_the_sum_of_both():
    x = normal(50, 2, seed=0)
    assert mmd(x, x, width=1.0).item() == pytest.approx(0, abs=1e-12)
    far = mmd(x, x + 1000, width=1.0).item()
    assert far == pytest.approx(2 * gram(x, 1.0).mean().item(), rel=1e-9)
    assert torch.autograd.gradcheck(lambda *z: mmd(*z, width=0.9), [normal(7, 2, seed=s).requires_grad_() for s in (1, 2)])


# hyppo's kernel is exp(-gamma |a - b|^2), gamma = 1 / (2 width^2). Its unbiased HSIC is ours over the root of both self
# values, its biased one the root of that; its MMD class scales by a factor of n and m, so MMD is compared through HSIC with
# the label of a sample.


def test_hsic_is_hyppos_up_to_normalisation():
    x, y = (z.double() for z in gaussian_pair(80, 0.6, d=2, seed=0)[:2])
    theirs = [Hsic(bias=bias, gamma=1 / (2 * 0.7**2)).statistic(x.numpy(), y.numpy()) for bias in (True, False)]
    unbiased = [hsic_unbiased(*pair, width_x=0.7, width_y=0.7).item() for pair in ((x, y), (x, x), (y, y))]
    assert theirs[0] ** 2 == pytest.approx(hsic_normalised(x, y, width_x=0.7, width_y=0.7).item(), rel=1e-9)
    assert theirs[1] == pytest.approx(unbiased[0] / math.sqrt(unbiased[1] * unbiased[2]), rel=1e-9)


def test_mmd_is_hyppos_hsic_with_the_label_of_a_sample():
    x, y, n, m = normal(50, 2, seed=0), normal(30, 2, seed=1) + 0.4, 50, 30
    both, label = torch.cat([x, y]), torch.cat([torch.zeros(n), torch.ones(m)]).double()[:, None]
    own = [hsic(z, z, width_x=w, width_y=w).item() for z, w in ((both, 0.7), (label, 0.7))]
    theirs = Hsic(bias=True, gamma=1 / (2 * 0.7**2)).statistic(both.numpy(), label.numpy()) ** 2 * math.sqrt(own[0] * own[1])
    # tr(KHLH) = 2 (1 - l) (n m / (n + m))^2 MMD^2, l the kernel between the labels; HSIC divides by (n + m - 1)^2.
    factor = 2 * (1 - math.exp(-1 / (2 * 0.7**2))) * (n * m / (n + m) / (n + m - 1)) ** 2
    assert mmd(x, y, width=0.7).item() == pytest.approx(theirs / factor, rel=1e-9)


# Spectra.


@pytest.mark.parametrize("near", [2 - 1e-7, 2 + 1e-7])
def test_second_order_without_a_spectrum_is_the_limit_of_the_spectral_one(near):
    x, y = (z.double() for z in gaussian_pair(120, 0.7, d=2, seed=0)[:2])
    k = gram(x, 0.8) / 120
    assert renyi_entropy(x, alpha=2, width=0.8).item() == pytest.approx(-math.log((k @ k).trace().item()), rel=1e-12)
    assert renyi_entropy(x, alpha=2, width=0.8).item() == pytest.approx(
        renyi_entropy(x, alpha=near, width=0.8).item(), rel=1e-6
    )
    for f in (mi_renyi, mi_renyi_normalised):
        assert f(x, y, alpha=2).item() == pytest.approx(f(x, y, alpha=near).item(), rel=1e-5)


@pytest.mark.parametrize("alpha", [0.5, 1.01, 2])
def test_normalised_and_conditional_spectral_information_of_clusters(alpha):
    bits = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0), torch.arange(2.0)).double() * 100
    x, t, noise = bits.split(1, 1)
    either = (x - t).abs()  # exclusive or
    assert mi_renyi_normalised(x, x, alpha=alpha).item() == pytest.approx(1, abs=1e-6)
    assert mi_renyi_normalised(x, t, alpha=alpha).item() == pytest.approx(0, abs=1e-6)
    assert mi_renyi_normalised(x, 0 * x, alpha=alpha).item() == pytest.approx(0, abs=1e-6)
    assert mi_renyi_conditional(x, t, either, alpha=alpha).item() == pytest.approx(math.log(2), abs=1e-6)
    assert mi_renyi_conditional(x, t, noise, alpha=alpha).item() == pytest.approx(0, abs=1e-6)


# Normal variables.


@pytest.mark.parametrize("n", [9, 12, 40])
@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_the_mean_of_the_unbiased_normal_form_is_the_truth(n, rho):
    pairs = [gaussian_pair(n, rho, d=3, seed=s) for s in range(300)]
    plain, mended = (
        np.array([float(f(p.x, p.y)) for p in pairs]) - pairs[0].truth["mi"] for f in (mi_gaussian, mi_gaussian_unbiased)
    )
    error = mended.std() / math.sqrt(300)
    assert abs(mended.mean()) < 4 * error and plain.mean() > 8 * error


def test_more_rows_than_columns_are_needed():
    with pytest.raises(ValueError, match="x has 6 rows, at least 7 are needed"):
        mi_gaussian_unbiased(normal(6, 3, seed=0), normal(6, 3, seed=1))
