"""Laws that the whole family of estimators must keep: a new one gets them by joining the dict."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.core import checks
from lib.data.synthetic import gaussian_pair
from lib.estimators import INDEX, MI, binning, kde
from lib.estimators.cs import conditional_cs_divergence, cs_divergence
from lib.estimators.entropy import mi_kl
from lib.estimators.gaussian import mi_gaussian
from lib.estimators.knn import mi_ksg, mi_ksg2, mi_mixed
from lib.estimators.mmd import mmd, mmd_unbiased
from lib.estimators.renyi import mi_renyi_conditional, renyi_entropy
from tests.estimators.samples import mean_of_seeds
from tests.samples import normal

BOTH = MI | INDEX


WIDTHS = [name for name in INDEX if name != "cka"]
STACKED = [name for name in INDEX if "renyi" not in name]


@pytest.mark.parametrize("f", BOTH.values(), ids=BOTH)
def test_is_symmetric(f, pair):
    assert f(*pair).item() == pytest.approx(f(*pair[::-1]).item(), abs=1e-9)


@pytest.mark.parametrize("f", BOTH.values(), ids=BOTH)
def test_forgets_the_order_of_pairs(f, pair):
    turn = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    assert f(pair[0][turn], pair[1][turn]).item() == pytest.approx(f(*pair).item(), abs=1e-9)


@pytest.mark.parametrize("f", BOTH.values(), ids=BOTH)
def test_grows_with_dependence(f):
    values = [f(*gaussian_pair(1000, rho, seed=0)[:2]).item() for rho in (0.0, 0.4, 0.7, 0.95)]
    assert values == sorted(values)


@pytest.mark.parametrize("f", INDEX.values(), ids=INDEX)
def test_kernels_do_not_see_shift_and_rotation(f, pair):
    turn = torch.linalg.qr(normal(2, 2, seed=5)).Q
    assert f(pair[0] @ turn + 3, pair[1] - 7).item() == pytest.approx(f(*pair).item(), abs=1e-9)


@pytest.mark.parametrize("name", ["cs_qmi_normalised", "hsic_normalised"])
def test_normalised_indices_are_one_for_equal_and_zero_for_constant(name, pair):
    assert INDEX[name](pair[0], pair[0]).item() == pytest.approx(1, abs=1e-9)
    assert INDEX[name](pair[0], torch.ones(300, 1, dtype=torch.float64)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", INDEX)
def test_gradients_reach_both_sides(name):
    x, y = (normal(12, 2, seed=s).requires_grad_() for s in (0, 1))
    assert torch.autograd.gradcheck(INDEX[name], (x, y))


# Which maps leave a value alone.


def test_columns_may_be_moved_and_scaled_apart(pair):
    scale = torch.tensor([3.0, 0.2], dtype=torch.float64)
    for mi in MI.values():
        assert mi(pair[0] * scale + 5, pair[1] * 7 - 2).item() == pytest.approx(mi(*pair).item(), abs=1e-9)


@pytest.mark.parametrize("name", [name for name in MI if name not in ("binning", "miller_madow")])
def test_columns_may_be_mirrored(name, pair):
    assert MI[name](-pair[0], pair[1]).item() == pytest.approx(MI[name](*pair).item(), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**31))
def test_normal_information_does_not_see_invertible_matrices(dx, dy, seed):
    x, y = normal(40, dx, seed=seed), normal(40, dy, seed=seed + 1)
    a, b = (torch.linalg.qr(normal(d, d, seed=seed + 2)).Q * (torch.arange(d) + 0.5) for d in (dx, dy))
    for name in ("gaussian", "gaussian_unbiased"):
        assert MI[name](x @ a, y @ b - 3).item() == pytest.approx(MI[name](x, y).item(), abs=1e-9)
    assert INDEX["cka"](x @ torch.linalg.qr(a).Q * 4, y).item() == pytest.approx(INDEX["cka"](x, y).item(), abs=1e-9)


@pytest.mark.parametrize("name", WIDTHS)
def test_a_width_is_a_unit_of_length(name, pair):
    widths = {} if "renyi" in name else {"width_x": 0.7}
    grown = {"width_x": 10 * widths.get("width_x", 1.0)}
    assert INDEX[name](10 * pair[0], pair[1], **grown).item() == pytest.approx(INDEX[name](*pair, **widths).item(), rel=1e-9)


# What independence, one precision or a stack may change.


# Mean over seeds on independent scalars, n = 400, and the largest departure of a mean of 8 seeds: 4 measured spreads / sqrt(8).
INDEPENDENT = {
    "binning": (0.349, 0.05), "gaussian": (0.0013, 0.003), "gaussian_unbiased": (0.0, 0.003), "kl": (0.0, 0.065),
    "ksg": (0.0, 0.055), "ksg2": (0.0, 0.07), "mixed": (0.0, 0.055), "miller_madow": (0.181, 0.045), "wkl": (0.0, 0.18),
    "cka": (0.0025, 0.004), "cs_qmi": (0.0012, 0.0012), "cs_qmi_normalised": (0.0068, 0.0075), "hsic": (0.0004, 0.0005),
    "hsic_normalised": (0.0055, 0.006), "hsic_unbiased": (0.0, 0.00045), "renyi": (0.017, 0.0075),
    "renyi_normalised": (0.016, 0.0075),
}  # fmt: skip


@pytest.mark.parametrize("name", BOTH)
def test_independence_gives_zero_and_the_known_bias(name):
    value, tolerance = INDEPENDENT[name]
    found = [float(BOTH[name](*gaussian_pair(400, 0.0, seed=s)[:2])) for s in range(20, 28)]
    assert np.mean(found) == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize("f", BOTH.values(), ids=BOTH)
def test_single_precision_gives_the_value_of_double(f, pair):
    x, y = (z.float() for z in pair)
    found = f(x, y)
    assert found.shape == () and found.isfinite()
    assert found.item() == pytest.approx(f(x.double(), y.double()).item(), rel=1e-5)


@pytest.mark.parametrize("f", BOTH.values(), ids=BOTH)
def test_inputs_and_generators_are_left_alone_and_repeats_are_equal(f, pair):
    copies, state, numbers = [z.clone() for z in pair], torch.get_rng_state(), np.random.get_state()[1].copy()
    first = f(*pair)
    assert torch.equal(first, f(*copies))
    assert all(torch.equal(z, copy) for z, copy in zip(pair, copies, strict=True))
    assert torch.equal(torch.get_rng_state(), state) and (np.random.get_state()[1] == numbers).all()


@pytest.mark.parametrize("name", STACKED)
def test_stacked_members_equal_single_ones(name):
    x, y = normal(2, 3, 40, 2, seed=0), normal(2, 3, 40, 1, seed=1)
    together = INDEX[name](x, y)
    assert together.shape == (2, 3)
    assert together[1, 2].item() == pytest.approx(INDEX[name](x[1, 2], y[1, 2]).item(), abs=1e-10)


# Gradients by finite differences, of all that is differentiable beside the indices.


DIFFERENTIABLE = {
    "gaussian": (MI["gaussian"], 2),
    "gaussian_unbiased": (MI["gaussian_unbiased"], 2),
    "cs_divergence": (lambda x, y: cs_divergence(x, y, width=0.8), 2),
    "conditional_cs": (lambda x, y, z: conditional_cs_divergence(x, y, z, width_x=0.8, width_y=0.9), 3),
    "mmd": (lambda x, y: mmd(x, y, width=0.8), 2),
    "mmd_unbiased": (lambda x, y: mmd_unbiased(x, y, width=0.8), 2),
    "kde_upper": (lambda x: kde.mi_upper(x, width=0.5), 1),
    "kde_lower": (lambda x: kde.mi_lower(x, width=0.5), 1),
    "renyi_entropy": (renyi_entropy, 1),
    "renyi_entropy_2": (lambda x: renyi_entropy(x, alpha=2), 1),
    "renyi_2": (lambda x, y: INDEX["renyi"](x, y, alpha=2), 2),
    "renyi_conditional": (lambda x, y, z: mi_renyi_conditional(x, y, z, alpha=2), 3),
}


@pytest.mark.parametrize(("f", "inputs"), DIFFERENTIABLE.values(), ids=DIFFERENTIABLE)
def test_gradients_are_finite_differences(f, inputs):
    assert torch.autograd.gradcheck(f, [normal(12, 2, seed=s).requires_grad_() for s in range(inputs)])


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8, 0.95])
@pytest.mark.parametrize(
    ("mi", "tolerance"),
    [(mi_ksg, 0.03), (mi_gaussian, 0.02), (mi_kl, 0.05), (mi_ksg2, 0.05), (mi_mixed, 0.05)],
    ids=["ksg", "gaussian", "mi_kl", "mi_ksg2", "mi_mixed"],
)
def test_information_of_normal_pairs(mi, tolerance, rho):
    truth = gaussian_pair(2, rho, seed=0).truth["mi"]
    assert mean_of_seeds(lambda s: mi(*gaussian_pair(2000, rho, seed=s)[:2])) == pytest.approx(truth, abs=tolerance)


# Saturation.


def test_saturated_bounds_and_entropies_warn_once_and_sweeps_do_not():
    t = torch.arange(64.0)[:, None]
    for bound in (kde.mi_upper, kde.mi_lower):
        with pytest.warns(checks.CeilingWarning, match=r"bound on I\(X;T~\) is 4.159 nats and can be at most 4.159"):
            bound(t, width=0.01)
    with pytest.warns(checks.CeilingWarning, match="the plug-in entropy is 4.159"):
        binning.entropy(t.long())
    for estimate in (binning.mi_binning, binning.mi_miller_madow):
        with pytest.warns(checks.CeilingWarning, match="the binned information is 4"):
            estimate(t, t.flip(0), bins=64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kde.upper(t, width=0.01) == kde.lower(t, width=0.01) == pytest.approx(math.log(64))
        assert binning.plug_in(t.long()).item() == pytest.approx(math.log(64))
        kde.mi_upper(t, width=1.0), kde.mi_upper(t[:1], width=1.0), binning.entropy(t.long() // 2)
        binning.mi_binning(t, t, bins=20)
