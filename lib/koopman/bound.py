"""How far a latent linear model is from a chain, and what the information that its code loses allows it to be."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.koopman.chain import Chain, coded, grown, information


class Bound(NamedTuple):
    """How far a latent linear model is from the chain, and the bound on it."""

    truth: Tensor  # covariance of (x_0, ..., x_t) under the chain
    model: Tensor  # the same under the model
    divergence: float  # KL(truth || model), nats
    deficit: float  # sum_n [I(x_{n-1}; x_n) - I(z_{n-1}; z_n)] + transition error, nats: at least the divergence
    bound: float  # sqrt(deficit / 2): at least the total variation


def regressed(joint: Tensor, left: list[int], right: list[int]) -> tuple[Tensor, Tensor]:
    """Return weights and covariance of what is left of `right` given `left`."""
    weights = torch.linalg.solve(joint[left][:, left], joint[left][:, right])
    return weights, joint[right][:, right] - weights.T @ joint[left][:, right]


def error_bound(chain: Chain, encoder: Tensor, *, spread: float, steps: int, operator: Tensor | None = None) -> Bound:
    r"""Return how far q(x_1..x_t | x_0), encode, step by z K', decode each, is from the chain, and the bound on it.

    KL <= sum_n [I(x_{n-1}; x_n) - I(z_{n-1}; z_n)] + E_tra, and total variation <= sqrt(KL / 2). Decoder, latent noise and,
    unless given, operator (k, k) are the chain's own conditionals, so that E_rec = 0; the encoder defines the codes, E_enc = 0.
    E_tra = sum_n E KL(p(z_n | z_{n-1}) || N(z_{n-1} K', S')). Source: [cheng2026information], Prop. 2.
    """
    joint, x, z = coded(chain, encoder, spread=spread, steps=steps)
    best, step_noise = regressed(joint, z[0], z[1])
    decoder, seen_noise = regressed(joint, z[0], x[0])
    k = best if operator is None else operator.double()
    law, codes, kept = chain.covariance, x[0], list(x[0])
    weights, noise = encoder.double(), spread**2 * torch.eye(len(k), dtype=torch.float64)
    for n in range(steps + 1):
        law = grown(law, codes, weights, noise)
        codes, weights, noise = list(range(len(law) - len(k), len(law))), k, step_noise
        if n:
            law = grown(law, codes, decoder, seen_noise)
            kept += range(len(law) - len(chain.step), len(law))
    off = k - best
    wrong = steps * torch.trace(torch.linalg.solve(step_noise, off.T @ joint[z[0]][:, z[0]] @ off)).item() / 2
    deficit = steps * (information(joint, x[0], x[1]) - information(joint, z[0], z[1])) + wrong
    states = list(range(len(chain.step) * (steps + 1)))
    truth, model = joint[states][:, states], law[kept][:, kept]
    return Bound(truth, model, divergence(truth, model), deficit, math.sqrt(deficit / 2))


def divergence(p: Tensor, q: Tensor) -> float:
    r"""Return KL(N(0, P) || N(0, Q)) = [tr Q^-1 P - D + log|Q| - log|P|] / 2, nats; (D, D) each."""
    return ((torch.trace(torch.linalg.solve(q, p)) - len(p) + torch.logdet(q) - torch.logdet(p)) / 2).item()


def total_variation(p: Tensor, q: Tensor, *, draws: int = 100_000, seed: int) -> float:
    r"""Return E_p (1 - q / p)_+ of N(0, P) and N(0, Q) by `draws` from P; its standard error is below 1 / (2 sqrt(draws)).

    p, q: (D, D) covariances. In [0, 1].
    """
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(checks.counted(draws, "draws"), len(p), generator=g, dtype=torch.float64) @ torch.linalg.cholesky(p).T
    gap = (x @ (torch.linalg.inv(p) - torch.linalg.inv(q)) * x).sum(1) / 2 + (torch.logdet(p) - torch.logdet(q)) / 2
    return (1 - gap.exp()).clamp_min(0).mean().item()
