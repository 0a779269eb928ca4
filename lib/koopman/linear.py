r"""What every linear Koopman fit returns, and how it is rolled out.

Snapshots are rows: coordinates z = lift(x) follow z' = z K, and the next snapshot is read as x' = z F. An eigenpair
K v = lambda v makes the eigenfunction phi(x) = lift(x) v, phi' = lambda phi.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.core.digits import settled
from lib.koopman.dictionaries import Lift


class LinearKoopman(NamedTuple):
    """A linear model of r coordinates for snapshots of n numbers, each from `delays` snapshots."""

    lift: Lift  # (..., delays n), oldest snapshot first -> (..., r)
    operator: Tensor  # K, (r, r): coordinates one step later are z K
    forecast: Tensor  # F, (r, n): the snapshot one step later is z F
    eigenvalues: Tensor  # (r,) complex, of one step, largest modulus first
    vectors: Tensor  # (r, r) complex: eigenfunctions are lift(x) @ vectors, one a column
    modes: Tensor  # (r, n) complex: the snapshot t >= 1 steps later is sum_j lambda_j^t phi_j(x) modes_j
    residuals: Tensor  # (r,) |phi_j(x') - lambda_j phi_j(x)| / |phi_j(x)| over the training pairs
    box: Tensor  # (2, n) least and largest training values
    dt: float  # time of one step
    delays: int = 1
    push: tuple[Tensor, Tensor] | None = None  # (m, r) and (m, n): what controls add to z' and to x'


class Rollout(NamedTuple):
    """A forecast, with its mode and where it left the data."""

    x: Tensor  # (B, steps + 1, ...): the start, then one snapshot a step
    left_at: Tensor  # (B,) the first step outside the training range, -1 where it stayed
    mode: str  # "linear" or "relift"


class Fit(NamedTuple):
    """What a method finds: the rest of a model follows from it."""

    lift: Lift
    operator: Tensor  # (r, r)
    forecast: Tensor  # (r, n)
    before: Tensor  # (N, r) coordinates of the training pairs, or rows with the same inner products
    after: Tensor  # (N, r)


def model_of(fit: Fit, *, box: Tensor, dt: float, delays: int = 1) -> LinearKoopman:
    """Decompose a fit into eigenvalues, modes and residuals."""
    eigenvalues, vectors = eigen(fit.operator)
    modes = expand(vectors, fit.forecast)
    # An eigenvalue of 0 forgets at once, so that no power of it times a mode could speak of the snapshots.
    alive = eigenvalues.abs() > 1e-14
    modes = torch.where(alive[:, None], modes / torch.where(alive, eigenvalues, 1)[:, None], 0)
    found = residuals(eigenvalues, vectors, fit.before, fit.after)
    return LinearKoopman(fit.lift, fit.operator, fit.forecast, eigenvalues, vectors, modes, found, box, dt, delays)


def eigen(operator: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues (r,), largest modulus first, of equal ones the greater imaginary part, and eigenvectors in columns."""
    values = operator.diagonal()
    if torch.equal(operator, torch.diag(values)):  # of kernel regression, with a thousand eigenvalues and more
        values = values.to(torch.promote_types(operator.dtype, torch.complex64))
        vectors = torch.eye(len(values), dtype=values.dtype, device=values.device)
    else:
        values, vectors = torch.linalg.eig(operator)
    turned = values.imag.argsort(descending=True, stable=True)  # LAPACK's order of equal moduli is one of rounding
    order = turned[settled(values.abs())[turned].argsort(descending=True, stable=True)]
    return values[order], vectors[:, order]


def expand(vectors: Tensor, forecast: Tensor) -> Tensor:
    """Return V^-1 F; the pseudo-inverse where eigenvectors coincide, as those of a defective operator do."""
    target = forecast.to(vectors.dtype)
    found, info = torch.linalg.solve_ex(vectors, target)
    return found if info == 0 else torch.linalg.pinv(vectors) @ target


def residuals(eigenvalues: Tensor, vectors: Tensor, before: Tensor, after: Tensor) -> Tensor:
    r"""Return |(Psi_y - lambda_j Psi_x) v_j| / |Psi_x v_j| for each eigenpair, from rows of coordinates (N, r).

    The square is v*(L - lambda A* - conj(lambda) A + |lambda|^2 G)v / v*Gv with G = Psi_x* Psi_x, A = Psi_x* Psi_y and
    L = Psi_y* Psi_y, without the rounding of about 1e-8 that forming them costs. Zero for an exact eigenfunction of a map; for
    noisy dynamics the spread of phi(x') given x is part of it. Source: [colbrook2024rigorous].
    """
    phi, later = (rows.to(vectors.dtype) @ vectors for rows in (before, after))
    size = torch.linalg.vector_norm(phi, dim=0)
    miss = torch.linalg.vector_norm(later - phi * eigenvalues, dim=0)
    return miss / size.clamp_min(torch.finfo(size.dtype).tiny)


def rollout(
    model: LinearKoopman, x0: Tensor, steps: int, *, mode: str, controls: Tensor | None = None, margin: float = 1.0
) -> Rollout:
    """Return `steps` forecasts from x0 (B, ...), or from windows x0 (B, delays, ...) where the model has delays.

    mode "linear" lifts once and then only multiplies, z_t = z_0 K^t, which is what eigenvalues speak of; "relift" lifts each
    forecast anew, the iteration of a one-step map. They differ unless the span of the observables is invariant.
    controls: (B, steps, m) where the model has them. A trajectory leaves the training range where a value lies more than
    `margin` ranges outside it. Values are never clipped; one that is no longer finite holds its last finite snapshot.
    """
    step = checks.known(mode, MODES, "mode of a rollout")
    window, acted = begin(model, x0), pushes(model, controls, len(x0), checks.counted(steps, "steps"))
    low, high = widened(model.box, margin)
    z, frames = model.lift(window.flatten(1)), [window[:, -1]]
    lost = torch.zeros(len(x0), dtype=torch.bool, device=x0.device)
    left_at = torch.full((len(x0),), -1, device=x0.device)
    for t in range(steps):
        forecast = real(z @ model.forecast) + acted[1][:, t]
        lost = lost | ~forecast.isfinite().all(-1)
        frames.append(torch.where(lost[:, None], frames[-1], forecast))
        outside = lost | ((frames[-1] < low) | (frames[-1] > high)).any(-1)
        left_at = torch.where(outside & (left_at < 0), t + 1, left_at)
        window = torch.cat([window[:, 1:], frames[-1][:, None]], 1)
        z = step(model, z, window, acted[0][:, t])
    x = torch.stack(frames, 1)
    return Rollout(x.reshape(len(x0), steps + 1, *x0.shape[1 if model.delays == 1 else 2 :]), left_at, mode)


def advance(model: LinearKoopman, z: Tensor, window: Tensor, acted: Tensor) -> Tensor:
    """Return the coordinates one step later by the operator alone."""
    return z @ model.operator + acted


def relift(model: LinearKoopman, z: Tensor, window: Tensor, acted: Tensor) -> Tensor:
    """Return the coordinates of the forecast itself."""
    return model.lift(window.flatten(1))


MODES = {"linear": advance, "relift": relift}


def begin(model: LinearKoopman, x0: Tensor) -> Tensor:
    """Return the starting windows as (B, delays, n) float64."""
    n, lead = model.box.shape[1], 1 if model.delays == 1 else 2
    wish = f"(B, {model.delays}, ...)" if model.delays > 1 else "(B, ...)"
    if x0.ndim <= lead or x0[0].numel() != n * model.delays or (lead == 2 and x0.shape[1] != model.delays):
        raise ValueError(f"x0 must have shape {wish} with {n} numbers a snapshot, got {tuple(x0.shape)}")
    if not torch.isfinite(x0).all():
        raise ValueError("x0 holds NaN or infinite values; start from a measured snapshot")
    return x0.double().reshape(len(x0), model.delays, n)


def pushes(model: LinearKoopman, controls: Tensor | None, size: int, steps: int) -> tuple[Tensor, Tensor]:
    """Return what controls add to coordinates and snapshots, (B, steps, r) and (B, steps, n), or zeros."""
    if (model.push is None) != (controls is None):
        wish = "needs controls (B, steps, m)" if controls is None else "knows no controls"
        raise ValueError(f"this model {wish}, got {None if controls is None else tuple(controls.shape)}")
    if model.push is None:
        none = model.operator.new_zeros(size, steps, 1)
        return none, real(none)
    if controls.shape != (size, steps, len(model.push[0])):
        raise ValueError(f"controls must have shape {(size, steps, len(model.push[0]))}, got {tuple(controls.shape)}")
    to_z, to_x = model.push
    return controls.double().to(to_z.dtype) @ to_z, controls.double() @ to_x


def widened(box: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Return the training range, `margin` ranges wider on each side; a constant takes its width from the widest."""
    span = box[1] - box[0]
    span = margin * span.clamp_min(1e-9 * span.max().item())
    return box[0] - span, box[1] + span


def real(z: Tensor) -> Tensor:
    """Return the real part of what may be complex: forecasts from conjugate pairs are real."""
    return z.real if z.is_complex() else z
