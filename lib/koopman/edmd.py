r"""Extended dynamic mode decomposition: least squares between observables of successive snapshots.

G = Psi_x^T Psi_x / N, A = Psi_x^T Psi_y / N, K = (G + ridge I)^-1 A. Neither G nor A is formed: their condition number is the
square of that of Psi_x, and monomials of degree 5 reach 1e8. The R factor of [Psi_x a Psi_y y] says all that N rows say of
their inner products, is small, and is gathered block by block.
"""

import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.koopman.dictionaries import Lift
from lib.koopman.linear import Fit, LinearKoopman, model_of
from lib.koopman.pairs import Data, blocks, box_of, controls, longer, parts, snapshots, uncontrolled
from lib.koopman.pairs import delays as delayed


def edmd(data: Data, *, lift: Lift, ridge: float = 0.0, delays: int = 1) -> LinearKoopman:
    """Fit z' = z K for observables z = lift(x) of trajectories (B, T, ...), and x' = z F beside it.

    lift: (..., delays n) -> (..., k), see lib/koopman/dictionaries.py; it takes `delays` snapshots side by side, oldest first.
    ridge: added to G; 0 refuses observables that depend on each other in these data. Needs O(k^2) memory, whatever N.
    Errors: ValueError for fewer pairs than observables, or a singular G with ridge 0. Source: [williams2015data].
    """
    return fitted(uncontrolled(data), lift, ridge, delays)


def edmdc(data: Data, *, lift: Lift, ridge: float = 0.0, delays: int = 1) -> LinearKoopman:
    """Fit z' = z K + a B for trajectories with controls a (B, T - 1, m), as `edmd`. Source: [korda2018linear]."""
    if parts(data)[0].controls is None:
        raise ValueError("data has no controls; use edmd, or give Trajectories their controls (B, T - 1, m)")
    return fitted(data, lift, ridge, delays)


def fitted(data: Data, lift: Lift, ridge: float, delays: int) -> LinearKoopman:
    """Solve for K and F, and for B where there are controls."""
    if ridge != 0:
        checks.positive(ridge, "ridge")
    box, members = box_of(data), parts(delayed(data, count=delays))
    n, k, m = box.shape[1], observables(members[0].x, lift), controls(members[0]).shape[-1]
    pairs = sum(len(part.x) * (part.x.shape[1] - 1) for part in members)
    if pairs < k + m:
        raise ValueError(
            f"{k + m} observables and controls want as many pairs, got {pairs}; give more snapshots or fewer of them"
        )
    factor = gather(members, lift, k, n)
    before, after = factor[:, :k], factor[:, k + m : 2 * k + m]
    solution = solve(factor[:, : k + m], factor[:, k + m :], pairs * ridge)
    fit = Fit(lift, solution[:k, :k], solution[:k, k:], before, after - factor[:, k : k + m] @ solution[k:, :k])
    model = model_of(fit, box=box, dt=members[0].dt, delays=delays)
    return model._replace(push=(solution[k:, :k], solution[k:, k:])) if m else model


def observables(x: Tensor, lift: Lift) -> int:
    """Return how many observables a dictionary makes of one row."""
    found = lift(x[:1, 0])
    if found.ndim != 2 or len(found) != 1:
        raise ValueError(f"lift must map (N, n) to (N, k), got {tuple(found.shape)} from {tuple(x[:1, 0].shape)}")
    return found.shape[1]


def gather(members: list[Trajectories], lift: Lift, k: int, newest: int) -> Tensor:
    """Return the R factor of rows [lift(x), a, lift(x'), x'] of all pairs, x' being its `newest` last columns."""
    factor = None
    for part in members:
        x, acted = longer(snapshots(part), 2, "pairs"), controls(part)
        for steps in blocks(x, k):
            now = x[:, steps.start : steps.stop + 1]
            z = lift(now)
            found = columns(z[:, :-1], acted[:, steps], z[:, 1:], now[:, 1:, -newest:])
            if not found.sum().isfinite():
                raise ValueError("lift gives NaN or infinite observables; standardise the data or lower the degree")
            factor = triangle(found.T if factor is None else torch.cat([factor, found.T]))
    return factor


def columns(*parts: Tensor) -> Tensor:
    """Return (B, T, k) tensors side by side and flat, (sum of k, B T): a column a row of memory, as LAPACK wants them."""
    return torch.cat([part.movedim(-1, 0).flatten(1) for part in parts if part.shape[-1]])


def triangle(rows: Tensor) -> Tensor:
    """Return rows, not more than columns, with the same inner products."""
    return torch.linalg.qr(rows, mode="r").R if len(rows) > rows.shape[1] else rows


def solve(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Return (x^T x + ridge I)^-1 x^T y by the singular values of x."""
    left, size, right = torch.linalg.svd(x, full_matrices=False)
    spanned = int((size > x.shape[1] * torch.finfo(x.dtype).eps * size[0]).sum())
    if spanned < x.shape[1] and ridge == 0:
        raise ValueError(
            f"G is singular: {x.shape[1]} observables span only {spanned} directions in these data; "
            "drop the dependent ones or give ridge > 0"
        )
    return right.T @ ((size / (size.square() + ridge))[:, None] * (left.T @ y))
