"""Conditional CS-QMI: dense form, closed forms, numerical integration, bias, gradients, memory."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from lib.data.synthetic import gaussian_pair
from lib.estimators import conditional
from lib.estimators.conditional import cs_qmi_conditional, cs_qmi_conditional_normalised
from lib.estimators.cs import cs_qmi
from lib.pairwise import sums
from tests import ROOT
from tests.estimators.samples import gram
from tests.memory import ENVIRONMENT, measured
from tests.samples import normal

WIDTHS = {"width_x": 0.7, "width_t": 0.9, "width_y": 1.3}


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
    monkeypatch.setattr(sums, "MEMORY_BUDGET", conditional.PANELS * 60 * 8 * 7)  # seven columns a panel
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
    monkeypatch.setattr(sums, "MEMORY_BUDGET", conditional.PANELS * 9 * 8 * 4)
    inputs = [normal(9, d, seed=d).requires_grad_() for d in (1, 2, 3)]
    assert torch.autograd.gradcheck(lambda *z: cs_qmi_conditional(*z, **WIDTHS), inputs)


PEAK = """
import torch
from lib.pairwise import sums
from lib.estimators.conditional import cs_qmi_conditional
from tests.memory import growth
torch.set_num_threads(1)
def step(n):
    inputs = [torch.randn(n, 4).requires_grad_() for _ in range(3)]
    cs_qmi_conditional(*inputs).backward()
step(250)  # libraries warm up
print(growth(lambda: step(1000)))
"""


@measured
def test_conditional_qmi_and_its_gradient_stay_near_the_budget():
    run = subprocess.run([sys.executable, "-c", PEAK], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 2 * sums.MEMORY_BUDGET, "all panels kept for the gradient would take 800 MiB"


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
