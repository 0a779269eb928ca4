"""Residuals tell eigenpairs of the dynamics from those that a dictionary made up."""

import pytest
import torch

from lib.koopman import dictionaries as d
from lib.koopman import dmd, edmd
from lib.koopman.linear import rollout
from lib.koopman.metrics import hausdorff
from lib.koopman.pairs import pairs
from lib.koopman.residual import residuals_of_moments, residuals_on, trusted
from tests.koopman.samples import SPECTRUM, good, orbit, quadratic, rotated, slow_manifold


def test_residuals_tell_true_pairs_from_polluted_ones():
    data = slow_manifold(50, 51, seed=0)
    extra = d.joined(
        quadratic, lambda x: torch.stack([x[..., 1] ** 2, x.prod(-1), x[..., 1] ** 3, *(5 * x).sin().unbind(-1)], -1)
    )
    model = edmd(data, lift=extra)
    true = (model.eigenvalues[:, None] - torch.tensor(SPECTRUM)).abs().amin(0) < 1e-9
    assert true.all()
    kept = trusted(model, at_most=1e-8)
    assert hausdorff(kept.eigenvalues, torch.tensor(SPECTRUM))[0] < 1e-9 and len(kept.eigenvalues) < 8
    assert model.residuals.max() > 1e-4
    for part in (model, kept):
        assert torch.allclose(residuals_on(part, data), part.residuals, rtol=1e-3, atol=1e-9)
    moved = rollout(kept, data.x[:, 0], 50, mode="linear").x
    assert torch.allclose(moved, data.x, atol=1e-6)
    with pytest.raises(ValueError, match="no eigenpair has a residual of at most 1e-30"):
        trusted(model, at_most=1e-30)


def test_residuals_of_moments_are_those_of_rows():
    data = orbit(rotated(), 20, 5, noise=0.3)
    model = dmd(data)
    x, y = (model.lift(z) for z in pairs(data))
    found = residuals_of_moments(model.eigenvalues, model.vectors, x.T @ x, x.T @ y, y.T @ y)
    assert torch.allclose(found, model.residuals, rtol=1e-9) and found.min() > 0.05


# What is refused.

REFUSED = {
    "moments": (lambda: trusted(dmd(good()), at_most=1.0, found=torch.ones(3)), "one residual for each of 2 eigenpairs"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
