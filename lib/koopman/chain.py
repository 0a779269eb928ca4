r"""What the information theory of Koopman learners says where all of it can be computed: linear chains with normal noise.

Rows throughout: x_t = x_{t-1} K + e, e ~ N(0, S), stationary with covariance C = K^T C K + S; a code is z = x E + spread * e.
"""

from typing import NamedTuple

import torch
from scipy.linalg import solve_discrete_lyapunov
from torch import Tensor

from lib.core import checks


class Chain(NamedTuple):
    """A stationary linear chain, float64."""

    step: Tensor  # (d, d) K
    noise: Tensor  # (d, d) S, positive definite
    covariance: Tensor  # (d, d) C


class Coded(NamedTuple):
    """Joint covariance of x_0..x_n and their codes z_0..z_n, and where each lies in it."""

    joint: Tensor
    x: list[list[int]]  # columns of x_t
    z: list[list[int]]  # columns of z_t


class Shares(NamedTuple):
    """Three kinds of what a code says of its own state, nats."""

    coherent: float  # I(z_{t-n}; z_t): carried by |eigenvalues| near 1
    fast: float  # I(z_t; x_{t-1} | z_{t-n}): decays within the lag
    residual: float  # I(z_t; x_t | x_{t-1}): new at t, no spectrum


def stationary(step: Tensor, noise: Tensor) -> Chain:
    r"""Return the chain of K and S with the covariance that solves C = K^T C K + S.

    step, noise: (d, d). Errors: an eigenvalue on or outside the unit circle, for which there is no stationary law.
    """
    k, s = checks.single(step, "step").double(), checks.single(noise, "noise").double()
    if k.shape[0] != k.shape[1] or k.shape != s.shape:
        raise ValueError(f"step and noise must be (d, d) alike, got {tuple(k.shape)} and {tuple(s.shape)}")
    if (radius := torch.linalg.eigvals(k).abs().max().item()) >= 1:
        raise ValueError(f"step has spectral radius {radius:.4g}; a stationary chain needs one below 1")
    return Chain(k, s, torch.from_numpy(solve_discrete_lyapunov(k.T.numpy(), s.numpy())))


def gathered_noise(chain: Chain, lag: int) -> Tensor:
    r"""Return M_n = sum_{i<n} (K^i)^T S K^i, the covariance of x_t given x_{t-n}; (d, d)."""
    total, power = torch.zeros_like(chain.noise), torch.eye(len(chain.step), dtype=torch.float64)
    for _ in range(checks.counted(lag, "lag")):
        total, power = total + power.T @ chain.noise @ power, power @ chain.step
    return total


def chain_information(chain: Chain, *, lag: int) -> float:
    r"""Return I(x_{t-n}; x_t) = [log|M_n + (K^n)^T C K^n| - log|M_n|] / 2, nats. Source: [cheng2026information], eq. 7."""
    m, k = gathered_noise(chain, lag), torch.linalg.matrix_power(chain.step, lag)
    return ((torch.logdet(m + k.T @ chain.covariance @ k) - torch.logdet(m)) / 2).item()


def canonical_correlations(chain: Chain, *, lag: int) -> Tensor:
    r"""Return the canonical correlations of x_{t-n} and x_t, (d,) falling; the information is -sum_i log(1 - r_i^2) / 2."""
    root = torch.linalg.cholesky(chain.covariance)
    k = torch.linalg.matrix_power(chain.step, checks.counted(lag, "lag"))
    # C = L L^T: the whitened cross-covariance L^-1 (C K^n) L^-T.
    return torch.linalg.svdvals(torch.linalg.solve_triangular(root, (root.T @ k).mT, upper=False).mT)


def grown(joint: Tensor, columns: list[int], weights: Tensor, noise: Tensor) -> Tensor:
    """Return the covariance of old variables and new ones, weighted sums of some `columns` of them plus noise of their own."""
    cross = joint[:, columns] @ weights
    return torch.cat([torch.cat([joint, cross], 1), torch.cat([cross.T, weights.T @ cross[columns] + noise], 1)])


def coded(chain: Chain, encoder: Tensor, *, spread: float, steps: int) -> Coded:
    """Return the joint law of x_0..x_n and z_t = x_t E + spread * e; encoder: (d, k)."""
    checks.positive(spread, "spread")
    (d, k), joint, n = encoder.shape, chain.covariance, checks.counted(steps, "steps")
    x = [list(range(t * d, (t + 1) * d)) for t in range(n + 1)]
    z = [list(range((n + 1) * d + t * k, (n + 1) * d + (t + 1) * k)) for t in range(n + 1)]
    for now in x[:-1]:
        joint = grown(joint, now, chain.step, chain.noise)
    for now in x:
        joint = grown(joint, now, encoder.double(), spread**2 * torch.eye(k, dtype=torch.float64))
    return Coded(joint, x, z)


def information(joint: Tensor, left: list[int], right: list[int], given: list[int] | None = None) -> float:
    r"""Return I(left; right | given) of normal variables by log determinants of their joint covariance, nats."""
    given = given or []

    def volume(columns: list[int]) -> Tensor:
        return torch.logdet(joint[columns][:, columns]) if columns else joint.new_zeros(())

    both = volume(left + given) + volume(right + given) - volume(left + right + given) - volume(given)
    return both.item() / 2


def information_limit(chain: Chain, encoder: Tensor, *, spread: float) -> tuple[float, float, float]:
    r"""Return I(x_{n-1}; x_n) >= I(z_{n-1}; x_n) >= I(z_{n-1}; z_n), nats. Source: [cheng2026information], Prop. 1."""
    joint, x, z = coded(chain, encoder, spread=spread, steps=1)
    return information(joint, x[0], x[1]), information(joint, z[0], x[1]), information(joint, z[0], z[1])


def information_split(chain: Chain, encoder: Tensor, *, spread: float, lag: int) -> Shares:
    r"""Return I(z_{t-n}; z_t), I(z_t; x_{t-1} | z_{t-n}) and I(z_t; x_t | x_{t-1}), which sum to I(z_t; x_t); lag n >= 1.

    Source: [cheng2026information], Prop. 3.
    """
    joint, x, z = coded(chain, encoder, spread=spread, steps=lag)
    return Shares(
        information(joint, z[0], z[-1]),
        information(joint, z[-1], x[-2], z[0]),
        information(joint, z[-1], x[-1], x[-2]),
    )
