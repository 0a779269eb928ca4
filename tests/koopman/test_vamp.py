"""Scores of features see the canonical correlations that the closed form of a normal chain sees."""

import pytest
import torch

from lib.core.plan import Plan
from lib.koopman.autoencoder import Autoencoder
from lib.koopman.chain import canonical_correlations, chain_information, stationary
from lib.koopman.information import gaussian_information
from lib.koopman.learner import fit
from lib.koopman.vamp import SCORES, spectral_contrastive, vamp2, vamp_terms
from tests.koopman.samples import part
from tests.samples import normal


def test_vamp_training_finds_what_lasts():
    z = [normal(1, 64, 2, seed=0)]
    for t in range(10):
        z.append(
            z[-1] * torch.tensor([0.9, 0.1]).double() + normal(1, 64, 2, seed=t + 1) * torch.tensor([0.436, 0.995]).double()
        )
    x = (torch.stack(z, 2) @ normal(2, 4, seed=50)).float()
    model = Autoencoder([0], 4, {"hidden": [], "code": 1, "activation": "tanh"})
    fit(model, vamp_terms, part(x), seeds=[0], plan=Plan(epochs=60, batch=64, lr=3e-2, select="last"))
    code = model.codes(x)
    assert vamp2(code[:, :, :-1].flatten(1, 2), code[:, :, 1:].flatten(1, 2)).item() == pytest.approx(0.81, abs=0.06)


# Normal codes: closed form and VAMP score see the same canonical correlations.


def drawn(n=60_000):
    c = stationary(torch.tensor([[0.9, 0.2], [-0.1, 0.5]]).double(), torch.tensor([[1.0, 0.3], [0.3, 0.5]]).double())
    x = normal(n, 2, seed=6) @ torch.linalg.cholesky(c.covariance).T
    return c, x, x @ c.step + normal(n, 2, seed=7) @ torch.linalg.cholesky(c.noise).T


def test_vamp_and_information_of_a_normal_chain():
    c, past, future = drawn()
    r = canonical_correlations(c, lag=1)
    assert vamp2(past, future).item() == pytest.approx((r**2).sum().item(), abs=0.01)
    third = future @ c.step + normal(len(future), 2, seed=8) @ torch.linalg.cholesky(c.noise).T
    z = torch.stack([past, future, third], 1)[None]
    assert gaussian_information(z, load=0.0).item() == pytest.approx(chain_information(c, lag=1), abs=0.01)
    turned = torch.tensor([[2.0, 1.0], [0.0, -3.0]]).double()
    assert vamp2(past @ turned + 1, future @ turned.T, load=0).item() == pytest.approx(vamp2(past, future, load=0).item())


def test_spectral_contrast_is_least_at_the_singular_functions():
    c, past, future = drawn()
    left, s, right = torch.linalg.svd(
        torch.linalg.cholesky(c.covariance).T @ c.step @ torch.linalg.inv(torch.linalg.cholesky(c.covariance)).T
    )
    white = torch.linalg.inv(torch.linalg.cholesky(c.covariance)).T
    x, y = past @ white @ left * s.sqrt(), future @ white @ right.T * s.sqrt()
    x, y = x[:3000], y[:3000]
    best = spectral_contrastive(x, y).item()
    assert best == pytest.approx(-(s**2).sum().item(), abs=0.05)
    for scale in (0.8, 1.2):
        assert spectral_contrastive(scale * x, y).item() > best


@pytest.mark.parametrize("name", SCORES)
def test_scores_have_finite_differences(name):
    x, y = (normal(2, 8, 2, seed=s).requires_grad_() for s in (0, 1))
    assert SCORES[name](x, y).shape == (2,) and torch.autograd.gradcheck(SCORES[name], (x, y))
