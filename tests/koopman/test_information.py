"""Entropies, contrasts and scores of a code: closed forms, bounds, gradients, and members that do not feel each other."""

import math

import pytest
import torch

from lib.estimators.renyi import renyi_entropy, spectral
from lib.koopman.chain import canonical_correlations, chain_information, stationary
from lib.koopman.entropy import ENTROPIES, entropy_clamped, entropy_kernel, entropy_mixed, entropy_order2, portrait, spectrum
from lib.koopman.information import INFORMATION, gaussian_information, infonce_batch, infonce_printed, infonce_window
from lib.koopman.vamp import SCORES, spectral_contrastive, vamp2
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


# Contrasts.


def apart(b=5, t=9):
    """Windows that each stand still, as far from the others as unit vectors can be."""
    return torch.eye(b).double()[None, :, None, :].expand(1, b, t, b)


def test_contrast_over_the_batch_is_at_most_the_logarithm_of_the_batch_and_reaches_it():
    assert infonce_batch(apart(), temperature=0.01).item() == pytest.approx(math.log(5), abs=1e-9)
    assert (infonce_batch(normal(4, 6, 9, 3, seed=0)) <= math.log(6)).all()
    same = normal(1, 1, 9, 3, seed=0).expand(1, 6, 9, 3)
    assert infonce_batch(same).item() == pytest.approx(0, abs=1e-12)


def test_contrast_over_the_batch_by_hand():
    z, found = normal(1, 3, 4, 2, seed=1), []
    unit = z[0] / z[0].norm(dim=-1, keepdim=True)
    for t in range(4):
        for step in (-1, 1):
            if 0 <= t + step < 4:
                s = unit[:, t] @ unit[:, t + step].T / 0.5
                found.append((s.diag() - s.logsumexp(1)).mean() + math.log(3))
    assert infonce_batch(z, reach=1, temperature=0.5).item() == pytest.approx(torch.stack(found).mean().item())


def test_contrast_as_printed_has_no_bound():
    z = normal(1, 4, 7, 3, seed=2)
    n, t, k = 2, 3, 1
    scores = z[0, :, t] @ z[0, n, t]
    near = [z[0, n, t + i] @ z[0, n, t] - scores.logsumexp(0) for i in (-k, k)]
    one = infonce_printed(z[:, :, t - 1 : t + 2], reach=1, temperature=1.0) * 4  # one anchor a window
    rest = [z[0, b, t + i] @ z[0, b, t] - (z[0, :, t] @ z[0, b, t]).logsumexp(0) for b in range(4) if b != n for i in (-k, k)]
    assert one.item() == pytest.approx((sum(near) + sum(rest)).item() / 2)
    growing = apart(t=3) * torch.tensor([1.0, 1.0, 10.0]).double()[:, None]
    assert infonce_printed(growing, reach=1, temperature=0.1).item() > 40 > math.log(5)


def test_contrast_within_a_window_saturates_at_zero_and_pushes_a_periodic_orbit_apart():
    angle = torch.arange(16).double() * 2 * math.pi / 160
    slow = torch.stack([angle.cos(), angle.sin()], -1)[None, None]
    line = torch.eye(16).double().repeat_interleave(1, 0)[None, None]
    blocks = torch.eye(3).double().repeat_interleave(7, 0)[None, None][:, :, 7:14]  # all seven frames alike
    assert infonce_window(blocks, reach=3).item() == pytest.approx(0.0)  # no other frames are left
    assert infonce_window(line, reach=3).item() == pytest.approx(math.log(6 / 15))
    back = torch.stack([(16 * angle).cos(), (16 * angle).sin()], -1)[None, None]  # returns within the window
    assert infonce_window(slow).item() > infonce_window(back).item() + 0.1


@pytest.mark.parametrize("name", INFORMATION)
def test_contrasts_are_per_member_and_have_finite_differences(name):
    def f(z):
        return INFORMATION[name](z, reach=1, temperature=0.5)

    z = normal(2, 3, 4, 2, seed=5)
    assert f(z).shape == (2,)
    assert f(z)[1].item() == pytest.approx(f(z[1:]).item())
    assert torch.autograd.gradcheck(f, z.requires_grad_())


@pytest.mark.parametrize("name", ["infonce_batch", "infonce_printed", "infonce_window"])
def test_windows_too_short_for_an_anchor_are_refused(name):
    with pytest.raises(ValueError, match="windows of 6 frames have no anchor with 3 neighbours on both sides; take T > 2 k"):
        INFORMATION[name](normal(1, 4, 6, 2, seed=0), reach=3, temperature=0.1)
    with pytest.raises(ValueError, match=r"z must be \(R, B, T, d\), got \(4, 6, 2\)"):
        INFORMATION[name](normal(4, 6, 2, seed=0), reach=3, temperature=0.1)


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
