"""Linear models: eigenpairs and modes give snapshots back, and forecasts go two named ways."""

import pytest
import torch

from lib.core.types import Trajectories
from lib.koopman import dictionaries as d
from lib.koopman import dmd, edmd
from lib.koopman.linear import eigen, rollout
from lib.koopman.metrics import nrmse
from lib.koopman.pairs import windows
from tests.koopman.samples import broken, good, lorenz, orbit, quadratic, rotated, slow_manifold


def test_modes_and_eigenfunctions_give_back_later_snapshots():
    data = slow_manifold(20, 51, seed=0)
    model = edmd(data, lift=quadratic)
    phi = model.lift(data.x[:, 0]).to(torch.complex128) @ model.vectors
    later = ((phi * model.eigenvalues**30) @ model.modes).real
    assert torch.allclose(later, data.x[:, 30], atol=1e-10)


@pytest.fixture(scope="module")
def attractor():
    return lorenz(1050, size=40)


# NRMSE at 5 and 20 steps, lifted once and lifted anew, at dt = .01, as measured apart from this code on one long trajectory.
LORENZ = {
    1: ((0.283, 1.08), (0.283, 1.08)),
    2: ((0.049, 0.80), (7.6e-3, 0.032)),
    3: ((5.1e-3, 0.52), (8.4e-5, 2.6e-4)),
}


@pytest.mark.parametrize("degree", LORENZ)
def test_polynomial_forecasts_of_lorenz(degree, attractor):
    for mode, wanted in zip(("linear", "relift"), LORENZ[degree], strict=True):
        assert lorenz_errors(attractor, degree, mode) == pytest.approx(wanted, rel=0.2)


def lorenz_errors(attractor, degree, mode):
    model = edmd(Trajectories(attractor[:5, :1000], 0.01, {}), lift=d.monomials(3, degree=degree))
    truth = windows(Trajectories(attractor[5:], 0.01, {}), length=21)[::25]
    return nrmse(rollout(model, truth[:, 0], 20, mode=mode).x, truth, norm="std", horizons=[5, 20]).tolist()


def test_polynomials_of_degree_five_forecast_lorenz_to_nine_digits_if_lifted_anew(attractor):
    # Normal equations reached 1e-7 and 2.9e-7 lifted anew, and 4.0e-5 and .22 lifted once on another trajectory.
    near, far = lorenz_errors(attractor, 5, "linear")
    assert near == pytest.approx(5.2e-5, rel=0.1) and far == pytest.approx(0.22, rel=0.2)
    assert max(lorenz_errors(attractor, 5, "relift")) < 3e-8


def test_the_two_ways_agree_where_the_span_is_invariant_and_differ_where_it_is_not(attractor):
    data = slow_manifold(20, 51, seed=0)
    model = edmd(data, lift=quadratic)
    ways = [rollout(model, data.x[:, 0], 50, mode=mode) for mode in ("linear", "relift")]
    assert torch.allclose(ways[0].x, data.x, atol=1e-10) and torch.allclose(ways[1].x, data.x, atol=1e-10)
    model = edmd(Trajectories(attractor[:5], 0.01, {}), lift=d.monomials(3, degree=2))
    ways = [rollout(model, attractor[6:, 0], 20, mode=mode).x for mode in ("linear", "relift")]
    assert torch.allclose(ways[0][:, 1], ways[1][:, 1]) and (ways[0][:, 20] - ways[1][:, 20]).abs().max() > 0.1


def test_an_unstable_model_names_the_step_at_which_it_leaves():
    doubling = Trajectories(0.1 * 2.0 ** torch.arange(6, dtype=torch.float64)[None, :, None], 1.0, {})  # 0.1 to 3.2
    model = dmd(doubling)
    found = rollout(model, torch.tensor([[0.1], [-1e-30]], dtype=torch.float64), 1100, mode="linear", margin=1.0)
    assert found.left_at.tolist() == [6, 102] and found.mode == "linear"  # 6.4 > 3.2 + 3.1; -5 < 0.1 - 3.1
    near = rollout(model, torch.tensor([[0.1]], dtype=torch.float64), 9, mode="linear", margin=0.01)
    assert near.left_at.tolist() == [6] and rollout(model, near.x[:, 0], 9, mode="relift", margin=2.0).left_at.tolist() == [7]
    assert found.x.isfinite().all() and found.x[0, 10] == pytest.approx(0.1 * 2**10)


def test_fields_keep_their_shape():
    k = rotated()
    data = orbit(k, 5, 30)
    field = data._replace(x=data.x.unflatten(2, (2, 2)))
    found = rollout(dmd(field), field.x[:, 0], 29, mode="linear").x
    assert found.shape == field.x.shape and torch.allclose(found, field.x, atol=1e-10)


# What is refused.

REFUSED = {
    "mode": (lambda: rollout(dmd(good()), good().x[:, 0], 5, mode="best"), "unknown mode of a rollout 'best'"),
    "start": (lambda: rollout(dmd(good()), good().x, 5, mode="linear"), "x0 must have shape .* with 2 numbers a snapshot"),
    "nan start": (lambda: rollout(dmd(good()), broken().x[:, 2], 5, mode="linear"), "x0 holds NaN or infinite values"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_diagonal_operator_and_the_same_one_a_little_off_have_the_same_eigenpairs():
    values = torch.polar(torch.tensor([0.3, 1.0, 0.7]), torch.tensor([1.0, 2.0, 0.5])).to(torch.complex128)
    off = torch.diag(values)
    off[0, 1] = 1e-9
    (found, vectors), (nearly, close) = eigen(torch.diag(values)), eigen(off)
    assert torch.equal(found, values[[1, 2, 0]]) and torch.equal(vectors, torch.eye(3, dtype=values.dtype)[:, [1, 2, 0]])
    torch.testing.assert_close(nearly, found)
    torch.testing.assert_close(close.abs(), vectors.abs(), atol=1e-8, rtol=0)
    assert eigen(torch.diag(torch.tensor([0.5, -2.0]).double()))[0].tolist() == [-2, 0.5]
