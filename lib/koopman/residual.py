"""Residuals of eigenpairs: which of them the dynamics know, and which a finite dictionary made up."""

from functools import partial

import torch
from torch import Tensor

from lib.core import checks
from lib.koopman.dictionaries import Lift
from lib.koopman.linear import LinearKoopman, residuals
from lib.koopman.pairs import Data, delays, pairs


def residuals_on(model: LinearKoopman, data: Data) -> Tensor:
    """Return the residual of each eigenpair over pairs of other trajectories, (r,).

    A kernel fit explains its own pairs too well: judge it on data that it has not seen. Source: [colbrook2024rigorous].
    """
    before, after = pairs(delays(data, count=model.delays))
    return residuals(model.eigenvalues, model.vectors, model.lift(before), model.lift(after))


def residuals_of_moments(eigenvalues: Tensor, vectors: Tensor, g: Tensor, a: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    r"""Return sqrt of v*(L - lambda A* - conj(lambda) A + |lambda|^2 G)v / v*Gv for each eigenpair, (r,).

    g = Psi_x* Psi_x, a = Psi_x* Psi_y, l = Psi_y* Psi_y, (r, r) each, all over N or all not. Rounding leaves about 1e-8 of an
    exact zero. Source: [colbrook2024rigorous].
    """
    g, a, l = (moment.to(vectors.dtype) for moment in (g, a, l))  # noqa: E741
    size, cross, later = (torch.einsum("ij,ik,kj->j", vectors.conj(), moment, vectors) for moment in (g, a, l))
    square = later.real - 2 * (eigenvalues.conj() * cross).real + eigenvalues.abs().square() * size.real
    return (square / size.real).clamp_min(0).sqrt()


def trusted(model: LinearKoopman, *, at_most: float, found: Tensor | None = None) -> LinearKoopman:
    """Return the model of those eigenpairs whose residual is at most `at_most`; coordinates are then eigenfunctions.

    found: (r,) residuals to judge by, such as those of `residuals_on`; None takes the model's own. What dropped modes gave to
    a forecast is lost, and not spread over the others. Errors: ValueError where no eigenpair is left.
    """
    checks.positive(at_most, "at_most")
    judged = model.residuals if found is None else found
    if judged.shape != model.residuals.shape:
        raise ValueError(
            f"found must have one residual for each of {len(model.residuals)} eigenpairs, got {tuple(judged.shape)}"
        )
    keep = judged <= at_most
    if not keep.any():
        raise ValueError(f"no eigenpair has a residual of at most {at_most}; the least is {judged.min().item():.3g}")
    values, vectors = model.eigenvalues[keep], model.vectors[:, keep]
    return model._replace(
        lift=partial(eigenfunctions, lift=model.lift, vectors=vectors),
        operator=torch.diag(values),
        forecast=values[:, None] * model.modes[keep],
        eigenvalues=values,
        vectors=torch.eye(len(values), dtype=values.dtype, device=values.device),
        modes=model.modes[keep],
        residuals=judged[keep],
        push=None if model.push is None else (expanded(model)[:, keep], model.push[1]),
    )


def eigenfunctions(x: Tensor, lift: Lift, vectors: Tensor) -> Tensor:
    """Return phi(x) = lift(x) V, complex."""
    return lift(x).to(vectors.dtype) @ vectors


def expanded(model: LinearKoopman) -> Tensor:
    """Return what controls add to eigenfunctions, (m, r)."""
    return model.push[0].to(model.vectors.dtype) @ model.vectors
