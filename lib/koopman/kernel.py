r"""Kernel EDMD with a Gaussian kernel: principal-component and reduced-rank regression, exact or on chosen centres.

No N x N matrix is made. A pivoted Cholesky factor L of the Gram matrix of all snapshots, stopped when the trace of what it
leaves out is negligible beside the ridge, gives features psi(x) = k(x, pivots) C^-T, C C^T = k(pivots, pivots), with
psi(x) . psi(x') = k(x, x'); smooth kernels need some hundred. Nystroem is the same with given centres for pivots. On features,
with G = Psi_x^T Psi_x and A = Psi_x^T Psi_y, both regressions are small:

PCR: B the r leading eigenvectors of G; RRR: B = (G + N ridge I)^-1/2 Q, Q the r leading left singular vectors of
(G + N ridge I)^-1/2 A. Coordinates are z = psi(x) B, and K = (B^T (G + N ridge I) B)^-1 B^T A B.
"""

from functools import partial

import torch
from torch import Tensor

from lib.core import checks
from lib.koopman.dictionaries import bumps
from lib.koopman.dmd import compress
from lib.koopman.linear import Fit, LinearKoopman, model_of
from lib.koopman.pairs import Data, box_of, pairs, parts, snapshots, stacked, uncontrolled

MEMORY_BUDGET = 2**31  # bytes of features one fit may hold
ROUNDING = 1e-13  # part of the trace below which what a Cholesky factor leaves out is rounding


def kernel_edmd(
    data: Data, *, rank: int, width: float, ridge: float = 1e-6, method: str = "rrr", centres: Tensor | None = None
) -> LinearKoopman:
    """Fit rank coordinates of the space of a Gaussian kernel to trajectories (B, T, ...).

    method: "pcr" keeps the directions in which snapshots vary most, "rrr" those that predict best. ridge: added to G / N, > 0.
    centres: (c, n) to restrict features to (Nystroem, see `drawn_centres`); None is exact up to a thousandth of the ridge.
    Training residuals flatter a kernel: judge eigenpairs by `residuals_on`. Errors: ValueError for a rank above the number of
    pairs or features, and where features would not fit in 2 GiB. Source: [kostic2022learning] [meanti2023estimating].
    """
    reduce = checks.known(method, METHODS, "method of kernel EDMD")
    checks.counted(rank, "rank"), checks.positive(width, "width"), checks.positive(ridge, "ridge")
    after = pairs(uncontrolled(data))[1]
    if rank > len(after):
        raise ValueError(f"rank {rank} wants as many pairs of snapshots, got {len(after)}; give more or a lower rank")
    chosen, to_features, psi = features(data, width, ridge, centres)
    if rank > psi.shape[1]:
        raise ValueError(f"rank {rank} is more than the {psi.shape[1]} features of these data; lower it or the width")
    basis, size = reduce(*split(psi, data), rank, len(after) * ridge)
    z, later = split(psi @ basis, data)
    lift = partial(mapped, centres=chosen, width=width, to=to_features @ basis)
    fit = Fit(lift, z.T @ later / size, z.T @ after / size, *compress(z, later))
    return model_of(fit, box=box_of(data), dt=parts(data)[0].dt)


def split(psi: Tensor, data: Data) -> tuple[Tensor, Tensor]:
    """Return the pairs of what was computed for every snapshot, (all snapshots, p) -> (N, p) each."""
    members = parts(data)
    found = psi.split([part.x.shape[0] * part.x.shape[1] for part in members])
    return pairs([part._replace(x=z.unflatten(0, part.x.shape[:2])) for part, z in zip(members, found, strict=True)])


def drawn_centres(data: Data, *, count: int, seed: int) -> Tensor:
    """Return `count` different snapshots, (count, n), as centres."""
    rows = stacked([snapshots(part) for part in parts(data)])
    if checks.counted(count, "count") > len(rows):
        raise ValueError(f"count {count} is more than the {len(rows)} snapshots; choose fewer centres")
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:count].to(rows.device)]


def mapped(x: Tensor, centres: Tensor, width: float, to: Tensor) -> Tensor:
    """Return k(x, centres) M."""
    return bumps(x, centres, width) @ to


def principal(psi: Tensor, later: Tensor, rank: int, ridge: float) -> tuple[Tensor, Tensor]:
    """Return the basis of principal-component regression (p, r), and B^T (G + ridge I) B, diagonal, as (r, 1)."""
    size, vectors = torch.linalg.eigh(psi.T @ psi)
    return vectors[:, -rank:], size[-rank:, None] + ridge


def reduced_rank(psi: Tensor, later: Tensor, rank: int, ridge: float) -> tuple[Tensor, Tensor]:
    """Return the basis of reduced-rank regression (p, r), and B^T (G + ridge I) B = I, as (r, 1)."""
    gram = psi.T @ psi
    gram.diagonal().add_(ridge)
    root = torch.linalg.cholesky(gram)
    cross = torch.linalg.solve_triangular(root, psi.T @ later, upper=False)
    vectors = torch.linalg.eigh(cross @ cross.T).eigenvectors[:, -rank:]
    return torch.linalg.solve_triangular(root.T, vectors, upper=True), gram.new_ones(rank, 1)


METHODS = {"pcr": principal, "rrr": reduced_rank}


def features(data: Data, width: float, ridge: float, centres: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return centres (c, n), M (c, p), and k(x, centres) M of all snapshots, whose inner products are the kernel."""
    rows = stacked([snapshots(part) for part in parts(data)])
    if centres is None:
        return pivoted(rows, width, max(ridge * 1e-3, ROUNDING))
    checks.comparable(centres, rows, names=("centres", "snapshots"))
    size, vectors = torch.linalg.eigh(bumps(centres, centres, width))
    kept = size > len(size) * torch.finfo(size.dtype).eps * size[-1]
    to_features = vectors[:, kept] / size[kept].sqrt()
    return centres, to_features, bumps(rows, centres, width) @ to_features


def pivoted(rows: Tensor, width: float, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return pivots among rows (N, n), M = C^-T and k(rows, pivots) M; k(x, x) - psi(x) . psi(x) is <= `tolerance` in the mean.

    Pivots come in blocks where the remainder is largest, a block pivoted within itself first. Source: [harbrecht2012low].
    """
    most = MEMORY_BUDGET // (3 * 8 * len(rows))
    factor, left, chosen, block = rows.new_zeros(len(rows), 0), rows.new_ones(len(rows)), [], 16
    while left.mean() > tolerance:
        if len(chosen) >= min(most, len(rows)):
            raise memory_error(len(rows), len(chosen))
        tried = left.topk(min(block, len(rows))).indices
        remainder = bumps(rows, rows[tried], width) - factor @ factor[tried].T
        kept = independent(remainder[tried])
        if not kept:
            break
        root = torch.linalg.cholesky(remainder[tried[kept]][:, kept])
        new = torch.linalg.solve_triangular(root, remainder[:, kept].T, upper=False).T
        factor, left = torch.cat([factor, new], 1), (left - new.square().sum(1)).clamp_min(0)
        chosen += tried[kept].tolist()
        left[chosen] = 0
        block = max(16, len(chosen) // 4)
    pivots = torch.tensor(chosen, device=rows.device)
    eye = torch.eye(len(chosen), dtype=rows.dtype, device=rows.device)
    return rows[pivots], torch.linalg.solve_triangular(factor[pivots].tril(), eye, upper=False).T, factor


def independent(remainder: Tensor) -> list[int]:
    """Return which of a block (b, b) to take: pivots while at least a tenth of the largest remainder is left to them."""
    rest, kept = remainder.clone(), []
    least = max(0.1 * float(rest.diagonal().max()), 1e-15)
    for _ in range(len(rest)):
        best = int(rest.diagonal().argmax())
        if (size := float(rest[best, best])) < least:
            break
        kept.append(best)
        rest -= torch.outer(rest[best], rest[best]) / size
        rest[best] = rest[:, best] = 0
    return kept


def memory_error(rows: int, found: int) -> ValueError:
    """Return what to do about a kernel that needs too many features."""
    need = 3 * 8 * rows * found / 2**30
    return ValueError(
        f"{rows} snapshots need more than {found} features, {need:.1f} GiB; give centres, a larger width or a larger ridge"
    )
