"""Indices of very many rows: averages counted one by one, exact values and closed forms within the stated errors, memory."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from lib.data.synthetic import gaussian_pair
from lib.estimators import cs_qmi, hsic, hsic_unbiased, large
from lib.estimators.large import cs_qmi_blocks, cs_qmi_fourier, hsic_blocks, hsic_fourier
from lib.pairwise import sums
from tests import ROOT
from tests.memory import ENVIRONMENT, measured
from tests.samples import normal

ALL = {f.__name__: f for f in (cs_qmi_blocks, cs_qmi_fourier, hsic_blocks, hsic_fourier)}


def truths(rho, d, width):
    """CS-QMI and HSIC of d normal pairs, columns independent of each other."""
    a, scale = 2 + width**2, width**2
    j, p, c = scale / math.sqrt(a**2 - 4 * rho**2), scale / a, scale / math.sqrt(a**2 - rho**2)
    return {"cs_qmi": d * math.log(j * p / c**2), "hsic": j**d + p**d - 2 * c**d}


def test_moments_are_means_over_distinct_rows():
    u, v = normal(7, 2, seed=0), normal(7, 1, seed=1)
    k, q = (torch.exp(-torch.cdist(z, z).square() / 2).numpy() for z in (u, v))
    joint = np.mean([k[i, j] * q[i, j] for i, j in itertools.permutations(range(7), 2)])
    product = np.mean([k[i, j] * q[a, b] for i, j, a, b in itertools.permutations(range(7), 4)])
    cross = np.mean([k[i, j] * q[i, a] for i, j, a in itertools.permutations(range(7), 3)])
    got = large.moments(torch.stack([u, u]), torch.stack([v, v]))
    assert got[0].tolist() == pytest.approx([joint, product, cross], rel=1e-12) and torch.equal(got[0], got[1])


def test_hsic_of_blocks_is_the_mean_of_the_unbiased_one():
    x, y = (z.double() for z in gaussian_pair(1000, 0.6, d=2, seed=0)[:2])
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(5))[:960]  # 40 rows make no block of 96
    each = torch.stack([hsic_unbiased(x[rows], y[rows], width_x=0.8) for rows in order.split(96)])
    got = hsic_blocks(x, y, width_x=0.8, block=96, seed=5)
    assert got.value == pytest.approx(each.mean().item(), rel=1e-9)
    assert got.error == pytest.approx(each.std().item() / 10**0.5, rel=1e-9)


def test_two_frequencies_are_counted_by_hand():
    x, y = normal(30, 2, seed=0), normal(30, 1, seed=1)
    g = torch.Generator().manual_seed(3)
    a, b = (torch.randn(d, 2, generator=g, dtype=torch.float64) for d in (2, 1))
    wx, wy = torch.exp(1j * (x / 0.5 @ a)), torch.exp(1j * (y @ b))
    cov = (wx * wy).mean(0) - wx.mean(0) * wy.mean(0)
    assert hsic_fourier(x, y, width_x=0.5, frequencies=2, seed=3).value == pytest.approx(cov.abs().square().mean().item())


def scores(f, truth, seeds=24, **options):
    """Errors over stated errors."""
    return np.array([(found.value - truth(s)) / found.error for s in range(seeds) for found in [f(s, **options)]])


@pytest.mark.parametrize(("name", "rho"), [("cs_qmi", 0.8), ("hsic", 0.8), ("hsic", 0.0)])
def test_blocks_hold_the_closed_form_within_their_error(name, rho):
    truth = truths(rho, 2, 1.0)[name]
    f = ALL[f"{name}_blocks"]
    z = scores(lambda s: f(*gaussian_pair(4096, rho, d=2, seed=s)[:2], block=128, seed=s), lambda s: truth)
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.4 and abs(z).max() < 4 and (abs(z) < 1.96).sum() >= 20


@pytest.mark.parametrize("name", ["cs_qmi", "hsic"])
def test_blocks_hold_the_full_sum_well_within_their_error(name):
    x, y, _ = gaussian_pair(4096, 0.8, d=2, seed=0)
    parts = large.moments(x.double(), y.double())
    full = {"hsic": parts @ parts.new_tensor(large.HSIC), "cs_qmi": parts.log() @ parts.new_tensor(large.HSIC)}[name].item()
    z = scores(lambda s: ALL[f"{name}_blocks"](x, y, block=128, seed=s), lambda s: full)
    assert abs(z).max() < 1  # the error holds the sample's spread too, which one sample does not show


@pytest.mark.parametrize("width", [1.0, 3.0])
@pytest.mark.parametrize("name", ["cs_qmi", "hsic"])
def test_frequencies_hold_the_value_of_the_sample_within_their_error(name, width):
    x, y, _ = gaussian_pair(1000, 0.8, d=2, seed=0)
    exact = {"cs_qmi": cs_qmi, "hsic": hsic}[name](x.double(), y.double(), width_x=width, width_y=width).item()
    exact *= 1 if name == "cs_qmi" else (999 / 1000) ** 2
    f = ALL[f"{name}_fourier"]
    z = scores(lambda s: f(x, y, width_x=width, width_y=width, seed=s), lambda s: exact)
    # Over 60 seeds 90 to 95 % lie within 1.96 errors; the tails are heavier than the normal ones.
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.4 and abs(z).max() < 5 and (abs(z) < 1.96).sum() >= 20


def test_terms_of_frequencies_lie_between_zero_and_one_and_constant_rows_share_nothing():
    x = normal(200, 3, seed=0)
    parts = large.frequency_parts(x, x, 1.0, 1.0, 300, 0) @ torch.tensor(large.HSIC, dtype=torch.float64)
    assert parts.min() > -1e-12 and parts.max() < 1
    assert hsic_fourier(x, torch.ones(200, 1).double(), seed=0).value == pytest.approx(0, abs=1e-12)
    assert cs_qmi_fourier(x, torch.ones(200, 1).double(), seed=0).value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("f", ALL.values(), ids=ALL)
def test_a_seed_gives_one_value(f):
    x, y, _ = gaussian_pair(3000, 0.8, seed=0)
    assert f(x, y, seed=0) == f(x, y, seed=0) != f(x, y, seed=1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hsic_blocks", {"block": 200}, "x has 300 rows, at least 400 are needed"),
        ("hsic_blocks", {"block": 3}, "block must be a whole number >= 4"),
        ("cs_qmi_blocks", {"block": 32, "width_x": 1e-9}, "must be positive; use wider kernels, or larger parts"),
        ("hsic_blocks", {"block": 32, "width_y": 0}, "width_y must be a positive finite number"),
        ("hsic_fourier", {"frequencies": 1}, "frequencies must be a whole number >= 2"),
        ("cs_qmi_fourier", {"width_x": -1.0}, "width_x must be a positive finite number"),
    ],
)
def test_large_samples_say_what_is_wrong(name, options, message):
    with pytest.raises(ValueError, match=message):
        ALL[name](normal(300, 1, seed=0), normal(300, 1, seed=1), seed=0, **options)


@pytest.mark.parametrize("f", ALL.values(), ids=ALL)
def test_large_samples_are_one_sample(f):
    with pytest.raises(ValueError, match="x must be one sample"):
        f(normal(2, 3000, 1, seed=0), normal(2, 3000, 1, seed=1), seed=0)


PEAK = """
import torch
from lib.estimators.large import cs_qmi_blocks, cs_qmi_fourier
from tests.memory import growth
torch.set_num_threads(1)
x, y = torch.randn(200_000, 2), torch.randn(200_000, 2)
work = lambda n: (cs_qmi_blocks(x[:n], y[:n], seed=0), cs_qmi_fourier(x[:n], y[:n], frequencies=64, seed=0))
work(4096)  # libraries warm up
print(growth(lambda: work(200_000)))
"""


@measured
def test_memory_is_that_of_the_rows():
    run = subprocess.run([sys.executable, "-c", PEAK], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert int(run.stdout) < sums.MEMORY_BUDGET  # all pairs would take 149 GiB
