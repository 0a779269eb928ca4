"""Entropies of a code: spectra that are known, kernels, gradients, and members that do not feel each other."""

import math

import pytest
import torch

from lib.estimators.renyi import renyi_entropy, spectral
from lib.koopman.entropy import ENTROPIES, entropy_clamped, entropy_kernel, entropy_mixed, entropy_order2, portrait, spectrum
from tests.samples import normal


def rows(*shares, n=40):
    """A sample whose rho has exactly these eigenvalues, in a turned basis."""
    z = normal(n, len(shares), seed=0)
    z = torch.linalg.qr(z - z.mean(0)).Q
    return z * torch.tensor(shares).double().sqrt() @ torch.linalg.qr(normal(len(shares), len(shares), seed=1)).Q + 3


def test_entropies_of_a_known_spectrum():
    z, p = rows(0.5, 0.3, 0.2), torch.tensor([0.5, 0.3, 0.2]).double()
    exact = -(p * p.log()).sum().item()
    assert spectrum(z).tolist() == pytest.approx([0.2, 0.3, 0.5])
    assert entropy_mixed(z, mix=0.0).item() == pytest.approx(exact)
    mixed = 0.9 * p + 0.1 / 3
    assert entropy_mixed(z, mix=0.1).item() == pytest.approx(-(mixed * mixed.log()).sum().item())
    assert entropy_clamped(z).item() == pytest.approx(exact)
    assert entropy_order2(z).item() == pytest.approx(-math.log(0.38))
    found = portrait(z)
    assert [found[name].item() for name in ("effective_dimension", "fill", "top_share")] == pytest.approx(
        [math.exp(exact), exact / math.log(3), 0.5]
    )


@pytest.mark.parametrize("mix", [0.0, 1e-2])
def test_more_units_than_rows_have_the_same_entropy_by_the_gram_matrix(mix):
    z = normal(6, 9, seed=2)
    c = torch.cov(z.T)
    p = (1 - mix) * torch.linalg.eigvalsh(c / c.trace()).clamp_min(0) + mix / 9
    assert entropy_mixed(z, mix=mix).item() == pytest.approx(-torch.xlogy(p, p).sum().item())
    assert len(spectrum(z)) == 6 and entropy_mixed(z, mix=0.0) <= math.log(5)
    p = torch.linalg.eigvalsh(c / c.trace()).clamp_min(1e-3)
    assert entropy_clamped(z, floor=1e-3).item() == pytest.approx(-(p * p.log()).sum().item())


def test_entropy_of_a_code_is_the_matrix_entropy_of_a_linear_kernel():
    z = normal(30, 4, seed=3) - normal(30, 4, seed=3).mean(0)
    assert entropy_order2(z).item() == pytest.approx(spectral(z @ z.T, 2).item())
    assert entropy_mixed(z, mix=0.0).item() == pytest.approx(spectral(z @ z.T, 1.0001).item(), abs=1e-4)
    assert entropy_kernel(z, width=0.7).item() == pytest.approx(renyi_entropy(z, width=0.7, alpha=2).item())


def test_a_weak_direction_feels_the_mixed_entropy_and_hardly_the_clamped_one():
    z = rows(1.0, 1e-9)
    slopes = []
    for entropy in (entropy_mixed, entropy_clamped):
        u = z.clone().requires_grad_()
        entropy(u).backward()
        weak = torch.linalg.eigh(torch.cov(z.T)).eigenvectors[:, 0]
        slopes.append((u.grad @ weak).norm().item())
    one = 2 * math.sqrt(1e-9)  # d tr C / dz; a clamped direction acts on the trace alone
    assert slopes == pytest.approx([math.log(2e4) * (1 - 1e-4) * one, one], rel=1e-3)


@pytest.mark.parametrize("name", ENTROPIES)
def test_entropies_are_per_member_and_have_finite_differences(name):
    z = normal(2, 3, 7, 3, seed=4)
    assert ENTROPIES[name](z).shape == (2, 3)
    assert ENTROPIES[name](z)[1, 2].item() == pytest.approx(ENTROPIES[name](z[1, 2]).item())
    assert torch.autograd.gradcheck(ENTROPIES[name], z[0].requires_grad_())


def test_equal_eigenvalues_have_a_gradient_and_dead_codes_no_entropy():
    z = rows(0.5, 0.5).requires_grad_()
    entropy_mixed(z).backward()
    assert z.grad.isfinite().all()
    still = torch.ones(1, 10, 3)
    assert entropy_order2(still).isfinite().all() and portrait(still)["effective_dimension"].item() == pytest.approx(
        1, abs=1e-6
    )
