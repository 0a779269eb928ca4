"""Koopman kernel regression: kernels are their double sums, and eigenfunctions of given eigenvalues forecast."""

import pytest
import torch

from lib.koopman import kkr
from lib.koopman.linear import rollout
from lib.koopman.metrics import hausdorff, nrmse
from lib.koopman.regression import annulus, eigenfunction_values, invariant, spectrum
from tests.koopman.samples import SPECTRUM, kernel, slow_manifold
from tests.samples import normal


def test_invariant_kernels_are_their_double_sum():
    x, mu = normal(3, 4, 2, seed=0), torch.tensor([0.9, 0.8 + 0.3j, 0.8 - 0.3j], dtype=torch.complex128)
    found = invariant(x, x, mu, 1.1)
    base = kernel(x.flatten(0, 1), x.flatten(0, 1), 1.1).reshape(3, 4, 3, 4)
    for j in range(3):
        wanted = sum(mu[j] ** -a * mu[j].conj() ** -b * base[1, a, 2, b] for a in range(4) for b in range(4)) / 16
        assert abs(found[j, 1, 2] - wanted) < 1e-12


def test_training_windows_are_sums_of_their_eigenfunctions():
    turn = torch.tensor([[0.8, 0.5], [-0.5, 0.8]], dtype=torch.float64)
    x = torch.stack([normal(6, 2, seed=0) @ torch.linalg.matrix_power(turn, h) for h in range(5)], 1)
    mu = torch.tensor([0.8 + 0.5j, 0.8 - 0.5j, 0.5], dtype=torch.complex128)
    g = eigenfunction_values(x, mu, 2.0, 1e-10)
    assert torch.allclose(torch.einsum("dh,idn->ihn", mu[:, None] ** torch.arange(5), g), x.to(mu.dtype), atol=1e-3)


def test_trajectories_are_forecast_from_their_first_snapshot():
    data = slow_manifold(40, 26, seed=0)
    model = kkr(data, eigenvalues=torch.tensor(SPECTRUM), length=26, width=0.5)
    fresh = slow_manifold(30, 26, seed=1)
    found = rollout(model, fresh.x[:, 0], 25, mode="linear").x
    assert nrmse(found, fresh.x, norm="std", horizons=[25]).item() < 0.02
    wrong = kkr(data, eigenvalues=torch.tensor([0.5, 0.6, 0.7]), length=26, width=0.5)
    assert nrmse(rollout(wrong, fresh.x[:, 0], 25, mode="linear").x, fresh.x, norm="std", horizons=[25]).item() > 0.05


def test_a_long_spectrum_is_known_to_be_closed_under_conjugation():
    mu = annulus(50, least=0.7, seed=0)
    assert torch.equal(spectrum(mu), mu)
    with pytest.raises(ValueError, match="add the missing ones"):
        spectrum(mu[:-1])


def test_a_spectrum_drawn_from_an_annulus_is_closed_under_conjugation():
    mu = annulus(40, least=0.7, seed=0)
    assert len(mu) == 81 and mu.abs().min() >= 0.7 and mu.abs().max() <= 1 + 1e-12 and hausdorff(mu, mu.conj())[0] < 1e-12


# What is refused.

REFUSED = {
    "memory": (lambda x: kkr(x, eigenvalues=annulus(2, least=0.5, seed=0), length=10, width=1.0), "11910 rows and 2.1 GiB"),
    "zero": (lambda x: kkr(x, eigenvalues=torch.zeros(2), length=10, width=1.0), "finite numbers that are not 0"),
    "alone": (lambda x: kkr(x, eigenvalues=torch.tensor([1j]), length=10, width=1.0), "the conjugate of each of them"),
    "least": (lambda x: annulus(2, least=0.0, seed=0), "least must lie between 0 and 1"),
    "length": (lambda x: kkr(x, eigenvalues=torch.ones(1), length=2000, width=1.0), "windows of 2000 need at least 2000"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message, attractor):
    with pytest.raises(ValueError, match=message):
        call(attractor)
