r"""Dynamic mode decomposition: the best linear map between successive snapshots, in the leading directions of the data.

Rows are snapshots, X = U S V^T and Y one step later: z = x V_r, K = S_r^-1 U_r^T Y V_r, and x' = z F with F = S_r^-1 U_r^T Y,
so that the modes are the exact ones. Noise of variance s^2 in the snapshots adds s^2 to X^T X, and shrinks eigenvalues; total
least squares and the forward-backward mean remove that to first order.
"""

from functools import partial

import torch
from torch import Tensor

from lib.core import checks
from lib.koopman.dictionaries import identity
from lib.koopman.edmd import edmdc
from lib.koopman.linear import Fit, LinearKoopman, model_of
from lib.koopman.pairs import Data, box_of, parts, uncontrolled
from lib.koopman.pairs import delays as delayed
from lib.koopman.pairs import pairs as paired

Solved = tuple[Tensor, Tensor, Tensor]  # basis (n, r), operator (r, r), forecast (r, n)


def dmd(data: Data, *, rank: int | None = None, method: str = "exact", delays: int = 1) -> LinearKoopman:
    """Fit DMD to trajectories (B, T, ...), by one of "exact", "tls" (total least squares) or "fb" (forward-backward).

    rank: directions of the snapshots to keep; None keeps all that stand above rounding. delays: snapshots side by side that
    make one row, as Hankel-DMD has them. Eigenvalues are per step. Errors: ValueError for a rank above the dimension, the
    number of pairs or what the snapshots span.
    Source: [tu2014dynamic] [hemati2017debiasing] [dawson2016characterizing].
    """
    solve = checks.known(method, METHODS, "method of DMD")
    box = box_of(uncontrolled(data))
    before, after = compress(*paired(delayed(data, count=delays)))
    basis, operator, forecast = solve(before, after, rank)
    fit = Fit(partial(project, basis=basis), operator, forecast[:, -box.shape[1] :], before @ basis, after @ basis)
    return model_of(fit, box=box, dt=parts(data)[0].dt, delays=delays)


def hankel_dmd(data: Data, *, delays: int, rank: int | None = None) -> LinearKoopman:
    """Fit DMD to `delays` successive snapshots side by side, which may close what one snapshot leaves open.

    A scalar sum of r exponentials is exactly linear in r delays. Source: [arbabi2017ergodic].
    """
    return dmd(data, rank=rank, delays=delays)


def dmdc(data: Data, *, ridge: float = 0.0) -> LinearKoopman:
    """Fit x' = x K + a B to trajectories with controls a (B, T - 1, m). Source: [proctor2016dynamic]."""
    return edmdc(data, lift=identity, ridge=ridge)


def project(x: Tensor, basis: Tensor) -> Tensor:
    """Return x V."""
    return x @ basis


def compress(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Return at most 2 n rows with the same inner products: the R factor of [X Y], which loses no precision as X^T X would."""
    n = before.shape[1]
    if len(before) <= 2 * n:
        return before, after
    small = torch.linalg.qr(torch.cat([before.T, after.T]).T, mode="r").R  # a column a row of memory, as LAPACK wants them
    return small[:, :n], small[:, n:]


def exact(before: Tensor, after: Tensor, rank: int | None) -> Solved:
    """Return least squares of Y on the r leading directions of X."""
    left, size, right = leading(before, rank)
    forecast = (left.T @ after) / size[:, None]
    return right.T, forecast @ right.T, forecast


def total_least_squares(before: Tensor, after: Tensor, rank: int | None) -> Solved:
    """Return least squares after both sides were projected on the r leading left directions of [X Y].

    Noise of equal size in X and Y is then taken from both and not only from Y; r = n is the classical total least squares.
    """
    basis = leading(before, rank)[2].T
    left = leading(torch.cat([before @ basis, after @ basis], 1), basis.shape[1])[0]
    return exact(left @ (left.T @ before), left @ (left.T @ after), basis.shape[1])


def forward_backward(before: Tensor, after: Tensor, rank: int | None) -> Solved:
    """Return (K_f K_b^-1)^(1/2), K_b being the least squares map from Y back to X: noise shrinks both alike.

    Of the 2^r roots it takes, in each eigenvector, the one on the side of K_f.
    """
    basis = leading(before, rank)[2].T
    x, y = before @ basis, after @ basis
    # torch's default driver starts from memory it has not set, and does not repeat its last bits.
    forth, back = (torch.linalg.lstsq(a, b, driver="gelsd").solution for a, b in ((x, y), (y, x)))
    squares, vectors = torch.linalg.eig(torch.linalg.solve(back, forth, left=False))
    near = (vectors.conj() * (forth.to(vectors.dtype) @ vectors)).sum(0)
    roots = squares.sqrt()
    roots = torch.where((near.conj() * roots).real < 0, -roots, roots)
    operator = torch.linalg.solve(vectors, vectors * roots, left=False).real
    return basis, operator, operator @ basis.T


def leading(x: Tensor, rank: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return U_r, S_r and V_r^T of x (N, n)."""
    rows, columns = x.shape
    if rank is not None and checks.counted(rank, "rank") > columns:
        raise ValueError(f"rank {rank} is more than the {columns} numbers of a row; choose rank <= {columns} or add delays")
    if rank is not None and rank > rows:
        raise ValueError(f"rank {rank} wants as many pairs of snapshots, got {rows}; give longer trajectories or a lower rank")
    left, size, right = torch.linalg.svd(x, full_matrices=False)
    spanned = int((size > max(x.shape) * torch.finfo(x.dtype).eps * size[0]).sum())
    if spanned == 0 or spanned < (rank or 1):
        raise ValueError(f"the snapshots span only {spanned} directions, rank {rank or 1} was asked; choose rank <= {spanned}")
    keep = rank or spanned
    return left[:, :keep], size[:keep], right[:keep]


METHODS = {"exact": exact, "fb": forward_backward, "tls": total_least_squares}
