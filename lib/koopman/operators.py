r"""Latent operators, many members at once: learned freely, learned within a class of spectra, or estimated from the code.

Rows: [z, a] W with W = [K; B] (R, d + m, d), where a (m columns, often none) is what acts. Every operator is called with past
(R, B, t, d + m) and future (R, B, t, d) and returns W; learned ones do not look at them.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lib.core import checks


def pooled_ridge(past: Tensor, future: Tensor, *, ridge: float = 1e-4) -> Tensor:
    r"""Return (G + r tr(G) / p I)^-1 A of G = sum P^T P, A = sum P^T F over all windows.

    `ridge` r is a share of the mean power, so that it means the same whatever the scale and the number of frames.

    past: (R, B, t, p), future: (R, B, t, d) -> (R, p, d).
    """
    p, f = (z.flatten(1, 2) for z in windowed(past, future))
    gram = p.mT @ p
    load = ridge * gram.diagonal(dim1=1, dim2=2).mean(1) + torch.finfo(p.dtype).tiny
    return torch.linalg.solve(gram + load[:, None, None] * torch.eye(p.shape[-1], dtype=p.dtype, device=p.device), p.mT @ f)


def averaged_ridge(past: Tensor, future: Tensor, *, ridge: float = 0.1) -> Tensor:
    r"""Return mean_b (P_b^T P_b + ridge I)^-1 P_b^T F_b, one estimate a window, as in the public code.

    Each has at most the rank of a window's length t, so that the mean shrinks every direction when t < d. past: (R, B, t, p),
    future: (R, B, t, d) -> (R, p, d). Source: [cheng2026information], its code.
    """
    p, f = windowed(past, future)
    # (P^T P + r I)^-1 P^T = P^T (P P^T + r I)^-1; windows are short.
    small = p @ p.mT + ridge * torch.eye(p.shape[-2], dtype=p.dtype, device=p.device)
    return (p.mT @ torch.linalg.solve(small, f)).mean(1)


def windowed(past: Tensor, future: Tensor) -> tuple[Tensor, Tensor]:
    """Refuse anything but two stacks of windows that pair frame by frame."""
    if past.ndim != 4 or past.shape[:3] != future.shape[:3]:
        raise ValueError(f"past and future must be (R, B, t, .) alike, got {tuple(past.shape)} and {tuple(future.shape)}")
    return past, future


class Estimated(nn.Module):
    """An operator that is estimated anew from every batch of windows; `learns` lets gradients pass through the estimate."""

    def __init__(self, estimate: Callable[[Tensor, Tensor], Tensor], *, learns: bool) -> None:
        super().__init__()
        self.estimate, self.learns = estimate, learns

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        """Return W."""
        return self.estimate(past, future) if self.learns else self.estimate(past.detach(), future.detach())


class Learned(nn.Module):
    """K = f(weights), and B freely, R members side by side; B starts at zero."""

    def __init__(self, weights: Tensor, made: Callable[[Tensor], Tensor], controls: int) -> None:
        super().__init__()
        self.weights, self.made = nn.Parameter(weights), made
        self.push = nn.Parameter(torch.zeros(len(weights), controls, made(weights).shape[-1]))

    def forward(self, past: Tensor | None = None, future: Tensor | None = None) -> Tensor:
        """Return W."""
        return torch.cat([self.made(self.weights), self.push], 1)


def orthogonal(size: int, generators: Sequence[torch.Generator]) -> Tensor:
    """Return one random orthogonal matrix a generator, (R, d, d)."""
    return torch.linalg.qr(torch.stack([torch.randn(size, size, generator=g) for g in generators])).Q


def dense(w: Tensor) -> Tensor:
    """Return the weights themselves."""
    return w


def unitary(w: Tensor) -> Tensor:
    r"""Return exp(A - A^T), (R, d, d): all eigenvalues on the unit circle."""
    return torch.linalg.matrix_exp(w - w.mT)


def dissipative(w: Tensor) -> Tensor:
    r"""Return exp(A - A^T - diag(s^2)), s the diagonal of A, (R, d, d): no eigenvalue outside the unit circle."""
    return torch.linalg.matrix_exp(w - w.mT - torch.diag_embed(w.diagonal(dim1=1, dim2=2).square()))


def stable(w: Tensor) -> Tensor:
    r"""Return exp of the tridiagonal with -s_i^2 on its diagonal and z_i, -z_i beside it.

    w: (R, 2, d) of s and z, the last z unused -> (R, d, d). No eigenvalue outside the unit circle, and up to a change
    of basis every diagonalisable stable matrix. Source: [pan2020physics].
    """
    side = torch.diag_embed(w[:, 1, :-1], 1)
    return torch.linalg.matrix_exp(side - side.mT - torch.diag_embed(w[:, 0].square()))


def spectral(w: Tensor) -> Tensor:
    r"""Return blocks e^m [[cos o, sin o], [-sin o, cos o]], and nothing beside them.

    w: (R, 2, d / 2) of m and o -> (R, d, d). As a complex number each pair is multiplied by e^(m + i o); the eigenvalues are
    these and their conjugates. Source: [lusch2018deep].
    """
    size, (even, odd) = 2 * w.shape[-1], (torch.arange(start, 2 * w.shape[-1], 2) for start in (0, 1))
    c, s = w[:, 0].exp() * w[:, 1].cos(), w[:, 0].exp() * w[:, 1].sin()
    k = w.new_zeros(len(w), size, size)
    k[:, even, even], k[:, odd, odd], k[:, even, odd], k[:, odd, even] = c, c, s, -s
    return k


def started(kind: str, size: int, generators: Sequence[torch.Generator]) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return a class of operators and its first weights."""
    if kind == "dense":
        return dense, 0.99 * orthogonal(size, generators)
    if kind in ("unitary", "dissipative"):
        weights = torch.stack([torch.randn(size, size, generator=g) for g in generators]) / size**0.5
        return (unitary, weights) if kind == "unitary" else (dissipative, 0.3 * weights)
    if kind == "spectral" and size % 2:
        raise ValueError(f"a spectral operator is made of pairs, got {size} units; use an even code")
    pairs = size if kind == "stable" else size // 2
    first = torch.stack([torch.stack([torch.full((pairs,), 0.1), torch.randn(pairs, generator=g)]) for g in generators])
    return (stable, first) if kind == "stable" else (spectral, first * torch.tensor([-0.1, 1.0])[:, None])


ESTIMATED = {
    "pooled": (pooled_ridge, True),
    "pooled_detached": (pooled_ridge, False),
    "averaged": (averaged_ridge, False),
}
LEARNED = ("dense", "stable", "unitary", "dissipative", "spectral")


def operator(kind: str, size: int, generators: Sequence[torch.Generator], *, controls: int = 0) -> nn.Module:
    """Return the operator of a name, R members side by side.

    "pooled" is the default of the house, "averaged" what the public code of [cheng2026information] does.
    """
    checks.known(kind, ESTIMATED | dict.fromkeys(LEARNED), "operator")
    if kind in ESTIMATED:
        estimate, learns = ESTIMATED[kind]
        return Estimated(estimate, learns=learns)
    made, weights = started(kind, size, generators)
    return Learned(weights, made, controls)


def graph_step(z: Tensor, adjacency: Tensor, k: Tensor) -> Tensor:
    r"""Return z'_i = sum_e sum_j A_eij z_j K_e: one small operator for each kind of edge, whatever the number of nodes.

    z: (..., N, g), adjacency: (edges, N, N), k: (edges, g, g) -> (..., N, g). Source: [li2020learning].
    """
    return torch.einsum("eij,...jg,egh->...ih", adjacency, z, k)


def graph_matrix(adjacency: Tensor, k: Tensor) -> Tensor:
    r"""Return sum_e A_e^T (x) K_e, the operator of `graph_step` on rows of N g values, (N g, N g)."""
    return sum(torch.kron(a.T.contiguous(), b) for a, b in zip(adjacency, k, strict=True))


def graph_ridge(past: Tensor, future: Tensor, adjacency: Tensor, *, ridge: float = 1e-4) -> Tensor:
    """Return the K_e (edges, g, g) that `graph_step` needs to lead past (..., N, g) to future best, by one pooled ridge."""
    sent = torch.einsum("eij,...jg->...ieg", adjacency, past).flatten(-2).flatten(0, -2)
    w = pooled_ridge(sent[None, None], future.flatten(0, -2)[None, None], ridge=ridge)[0]
    return w.unflatten(0, (len(adjacency), -1))
