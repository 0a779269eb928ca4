"""Dynamic mode decomposition: exact spectra, noise without its bias, an independent library."""

import math

import numpy as np
import pytest
import torch

from lib.core.types import Trajectories
from lib.koopman import dictionaries as d
from lib.koopman import dmd, dmdc, edmdc, hankel_dmd
from lib.koopman.linear import rollout
from lib.koopman.metrics import hausdorff
from lib.koopman.residual import trusted
from tests.koopman.samples import LINEAR_SPECTRUM, good, orbit, rotated
from tests.samples import normal


@pytest.mark.parametrize("method", ["exact", "tls", "fb"])
def test_dmd_finds_the_spectrum_of_a_linear_map(method):
    model = dmd(orbit(rotated(), 5, 30), method=method)
    assert max(hausdorff(model.eigenvalues, LINEAR_SPECTRUM)) < 1e-10
    assert model.residuals.max() < 1e-10


def test_hankel_dmd_finds_two_frequencies_in_one_number():
    t = torch.arange(200, dtype=torch.float64)
    data = Trajectories((torch.cos(0.3 * t) + 0.5 * torch.sin(0.7 * t))[None, :, None], 1.0, {})
    model = hankel_dmd(data, delays=8, rank=4)
    truth = torch.tensor(np.exp([0.3j, -0.3j, 0.7j, -0.7j]))
    assert max(hausdorff(model.eigenvalues, truth)) < 1e-10
    for mode in ("linear", "relift"):
        found = rollout(model, data.x[:, :8], 100, mode=mode).x
        assert found.shape == (1, 101, 1) and torch.allclose(found, data.x[:, 7:108], atol=1e-8)


def test_controls_do_not_leak_into_the_operator():
    k, b = rotated(), normal(2, 4, seed=7)
    acted, x = normal(3, 40, 2, seed=8), [normal(3, 4, seed=9)]
    for t in range(40):
        x.append(x[-1] @ k + acted[:, t] @ b)
    data = Trajectories(torch.stack(x, 1), 1.0, {}, acted)
    model = dmdc(data)
    assert max(hausdorff(model.eigenvalues, LINEAR_SPECTRUM)) < 1e-10 and torch.allclose(model.push[0], b, atol=1e-10)
    for found in (model, trusted(edmdc(data, lift=d.identity), at_most=1e-6)):
        assert torch.allclose(rollout(found, data.x[:, 0], 40, mode="linear", controls=acted).x, data.x, atol=1e-8)
    with pytest.raises(ValueError, match="data carries controls; use dmdc"):
        dmd(data)
    with pytest.raises(ValueError, match="this model needs controls"):
        rollout(model, data.x[:, 0], 40, mode="linear")


def test_total_least_squares_and_forward_backward_remove_the_first_order_of_the_noise_bias():
    turn = torch.tensor([[math.cos(0.3), math.sin(0.3)], [-math.sin(0.3), math.cos(0.3)]], dtype=torch.float64)
    noisy = orbit(turn, 2000, 50, noise=0.3)
    size = {method: dmd(noisy, method=method).eigenvalues.abs().mean().item() for method in ("exact", "tls", "fb")}
    assert size["exact"] == pytest.approx(1 / (1 + 0.3**2), abs=0.003)  # X^T X grows from 1 to 1 + s^2
    assert size["tls"] == pytest.approx(1, abs=0.003) and size["fb"] == pytest.approx(1, abs=0.003)


def test_forward_backward_takes_the_root_on_the_side_of_the_forward_map():
    for angle in (2.0, 3.0):
        turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]], dtype=torch.float64)
        assert dmd(orbit(turn, 3, 20), method="fb").eigenvalues.angle().abs().max().item() == pytest.approx(angle)


# What is refused.

REFUSED = {
    "rank above dimension": (lambda: dmd(good(), rank=3), "rank 3 is more than the 2 numbers of a row"),
    "rank above pairs": (lambda: hankel_dmd(good(), delays=3, rank=4), "rank 4 wants as many pairs of snapshots, got 3"),
    "flat": (lambda: dmd(good()._replace(x=torch.ones(3, 4, 2).double()), rank=2), "span only 1 directions, rank 2 was asked"),
    "method": (lambda: dmd(good(), method="best"), "unknown method of DMD 'best'; known: exact, fb, tls"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_method_of_dmd_repeats_its_bits():
    data = Trajectories(normal(400, 4, seed=0)[None], 1.0, {})
    for method in ("exact", "tls", "fb"):
        first = dmd(data, method=method).operator
        assert all(torch.equal(dmd(data, method=method).operator, first) for _ in range(20)), method


@pytest.mark.filterwarnings("ignore")
def test_pydmd_agrees_on_eigenvalues_and_modes(attractor):
    pydmd = pytest.importorskip("pydmd")
    data = attractor._replace(x=attractor.x @ normal(3, 12, seed=3))
    theirs = pydmd.DMD(svd_rank=2, exact=True).fit(data.x[0].T.numpy())
    model = dmd(data, rank=2)
    assert max(hausdorff(model.eigenvalues, torch.tensor(theirs.eigs))) < 1e-9
    for value, mode in zip(model.eigenvalues, model.modes, strict=True):
        other = torch.tensor(theirs.modes[:, np.abs(theirs.eigs - value.numpy()).argmin()])
        assert abs(abs(torch.vdot(mode, other)) / mode.norm() / other.norm() - 1) < 1e-9
    theirs = pydmd.HankelDMD(svd_rank=5, exact=True, d=4).fit(data.x[0].T.numpy())
    assert max(hausdorff(dmd(data, rank=5, delays=4).eigenvalues, torch.tensor(theirs.eigs))) < 1e-8
