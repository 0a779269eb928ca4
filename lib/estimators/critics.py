"""Critics that score pairs, and the loop that trains many of them as one batched program, each on rows of its own."""

import copy
import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.core import checks
from lib.core.precision import usual
from lib.nets.stacked import Linears

SHARES = (0.8, 0.1)  # of the rows: to learn from, to choose by; the rest is measured
LOOKS = 20  # how often validation rows are looked at
# Decay of weights and smooth units: with neither, a critic of 5 + 5 columns learns its 4000 rows by heart and finds 20 % less.
DECAY = 1.0


class Budget(NamedTuple):
    """How much a critic may learn."""

    steps: int = 300
    batch: int = 256
    lr: float = 2e-3
    width: int = 64  # of two hidden layers
    critic: str = "separable"


DEFAULT = Budget()


def chain(sizes: list[int], generators: list[torch.Generator]) -> nn.Sequential:
    """Return stacked perceptrons with smooth hidden layers, swish, (S, n, sizes[0]) -> (S, n, sizes[-1])."""
    layers = []
    for a, b in pairwise(sizes):
        layers += [Linears(a, b, generators, math.sqrt(2.0)), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


class Separable(nn.Module):
    """T(x, y) = f(x) . g(y) / sqrt(k) + c: n evaluations of two networks score n x n pairs."""

    def __init__(self, dx: int, dy: int, width: int, generators: list[torch.Generator]) -> None:
        super().__init__()
        self.of_x, self.of_y = (chain([d, width, width, width // 2], generators) for d in (dx, dy))
        self.offset = nn.Parameter(torch.zeros(len(generators), 1, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return all scores, (S, n, dx) and (S, n, dy) -> (S, n, n)."""
        f, g = self.of_x(x), self.of_y(y)
        return torch.baddbmm(self.offset, f / math.sqrt(f.shape[-1]), g.mT)


class Joint(nn.Module):
    """T(x, y) of one network on [x, y], evaluated on all n x n pairs; its first layer is a sum of one of x and one of y."""

    def __init__(self, dx: int, dy: int, width: int, generators: list[torch.Generator]) -> None:
        super().__init__()
        self.of_x, self.of_y = (Linears(d, width, generators, math.sqrt(2 * d / (dx + dy))) for d in (dx, dy))
        self.rest = chain([width, width, 1], generators)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return all scores, (S, n, dx) and (S, n, dy) -> (S, n, n)."""
        hidden = F.silu(self.of_x(x)[:, :, None] + self.of_y(y)[:, None])  # (S, n, n, width)
        return self.rest(hidden.flatten(1, 2)).reshape(*hidden.shape[:3])


class Conditional(nn.Module):
    """T(x, y) = log q(y|x), q normal with a mean and a diagonal variance that are functions of x."""

    def __init__(self, dx: int, dy: int, width: int, generators: list[torch.Generator]) -> None:
        super().__init__()
        self.of_x = chain([dx, width, width, 2 * dy], generators)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return all log densities, (S, n, dx) and (S, n, dy) -> (S, n, n)."""
        mean, logvar = self.of_x(x).chunk(2, -1)
        logvar = 7 * (logvar / 7).tanh()  # a variance of zero would stop learning
        precision = (-logvar).exp()
        # |y - m|^2 / v opens into three terms, so that all pairs are matrix products.
        squares = (mean.square() * precision + logvar + math.log(2 * math.pi)).sum(-1)[:, :, None]
        return (mean * precision) @ y.mT - 0.5 * (squares + precision @ y.square().mT)


CRITICS = {"separable": Separable, "joint": Joint, "conditional": Conditional}


def trained(x: Tensor, y: Tensor, method: NamedTuple, seeds: list[int], budget: Budget) -> tuple[nn.Module, tuple]:
    """Train a critic for each member by Adam with decay, and return it with rows that it has not seen, standardised as its own.

    x: (S, n, dx), y: (S, n, dy) -> critic, (x, y) of the rest. The weights kept are each member's best by `method.chosen`.
    """
    for name in ("steps", "batch", "width"):
        checks.counted(getattr(budget, name), name, least=2)
    generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    learn, choose, rest = parts(x, y, generators)
    make = checks.known(budget.critic, CRITICS, "critic")
    critic = make(x.shape[-1], y.shape[-1], budget.width, generators).to(x.device)
    optimizer = torch.optim.AdamW(critic.parameters(), lr=checks.positive(budget.lr, "lr"), weight_decay=DECAY, fused=True)
    ascended, size = method.ascended(), min(budget.batch, learn[0].shape[1])
    every = max(1, budget.steps // LOOKS)
    kept, best = copy.deepcopy(critic), torch.full((len(seeds),), -math.inf, device=x.device)
    for step, rows in enumerate(batches(learn[0].shape[1], size, budget.steps, generators), start=1):
        own = rows.to(x.device)[..., None]
        value = ascended(critic(*(z.take_along_dim(own, 1) for z in learn)))
        optimizer.zero_grad()
        (-value.sum()).backward()
        optimizer.step()
        if step % every == 0:
            best = keep(kept, critic, best, measured(critic, method.chosen, *choose, budget.batch))
    return kept, rest


def parts(x: Tensor, y: Tensor, generators: list[torch.Generator]) -> list[tuple[Tensor, Tensor]]:
    """Deal each member's rows to learning, choosing and measuring; columns have mean 0 and spread 1 on those learnt from."""
    n = x.shape[1]
    order = torch.stack([torch.randperm(n, generator=g) for g in generators]).to(x.device)[..., None]
    ends = [round(n * SHARES[0]), round(n * (SHARES[0] + SHARES[1]))]
    both = []
    for z in (usual(x.detach()), usual(y.detach())):
        z = z.take_along_dim(order, 1)
        spread, mean = torch.std_mean(z[:, : ends[0]], 1, keepdim=True)
        both.append(((z - mean) / torch.where(spread > 0, spread, 1.0)).tensor_split(ends, 1))
    return list(zip(*both, strict=True))


def batches(n: int, size: int, steps: int, generators: list[torch.Generator]) -> list[Tensor]:
    """Return the rows (S, size) of every step; each epoch is a new shuffle, whose last rows that fill no batch are left out."""
    each = n // size
    epochs = [torch.stack([torch.randperm(n, generator=g) for g in generators]) for _ in range(-(-steps // each))]
    return [rows for epoch in epochs for rows in epoch[:, : each * size].chunk(each, 1)][:steps]


def block(n: int, batch: int) -> int:
    """Return the rows in the largest block when n are measured."""
    return -(-n // max(1, n // batch))


@torch.no_grad()
def measured(critic: nn.Module, bound: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, batch: int) -> Tensor:
    """Return the mean bound over blocks of about `batch` rows, (S, n, dx), (S, n, dy) -> (S,) float64."""
    blocks = max(1, x.shape[1] // batch)  # of at least a batch each, so that no row is left out
    pairs = zip(x.tensor_split(blocks, 1), y.tensor_split(blocks, 1), strict=True)
    return torch.stack([bound(critic(*pair).double()) for pair in pairs]).mean(0)


@torch.no_grad()
def keep(kept: nn.Module, critic: nn.Module, best: Tensor, score: Tensor) -> Tensor:
    """Copy the weights of the members whose score is better than their best, and return the new best (S,)."""
    better = score > best
    for old, new in zip(kept.parameters(), critic.parameters(), strict=True):
        old.copy_(torch.where(better.view(-1, *[1] * (new.ndim - 1)), new, old))
    return torch.where(better, score, best)
