"""A classifier behind a stochastic code, and its training with the code's information held near a target."""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lib.core.types import Terms
from lib.estimators.channel import mi_channel, pair_densities
from lib.training.misses import miss

LEAST = 1e-10  # of a deviation
Chain = list[tuple[Tensor, Tensor]]  # weight (R, fan_in, fan_out) and bias (R, 1, fan_out) of every layer


class Layout(NamedTuple):
    """Where the weights of one network lie in a row: those of the mean, those of the deviation, those of the classifier."""

    sizes: tuple[int, ...]  # input, hidden layers, code, classes

    def chains(self) -> list[list[tuple[int, int]]]:
        """Return (fan_in, fan_out) of every layer of the three parts."""
        encoder = list(pairwise(self.sizes[:-1]))
        return [encoder, encoder, [self.sizes[-2:]]]

    def blocks(self) -> list[int]:
        """Return how many numbers each weight and each bias takes, in order."""
        return [count for chain in self.chains() for a, b in chain for count in (a * b, b)]

    @property
    def weights(self) -> int:
        """How many numbers a network has."""
        return sum(self.blocks())

    @property
    def encoder(self) -> int:
        """How many of them, the first, belong to the encoder."""
        return self.weights - math.prod(self.sizes[-2:]) - self.sizes[-1]


class StochasticNets(NamedTuple):
    """R networks x -> N(mean(x), diag(deviation(x)^2)) -> classes: two ReLU chains and a linear classifier."""

    rows: Tensor  # (R, layout.weights), one network a row, so that optimiser and posterior see a matrix
    layout: Layout

    def chains(self) -> list[Chain]:
        """Return views of the rows as weights and biases."""
        blocks, chains = iter(self.rows.split(self.layout.blocks(), 1)), []
        for sizes in self.layout.chains():
            chains.append([(next(blocks).unflatten(1, (a, b)), next(blocks)[:, None]) for a, b in sizes])
        return chains

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the code, (R, n, inputs) -> (R, n, code) each."""
        mean, deviation, _ = self.chains()
        return through(mean, x), F.softplus(through(deviation, x)).clamp_min(LEAST)

    def decode(self, code: Tensor) -> Tensor:
        """Return the logits, (R, n, code) -> (R, n, classes)."""
        return through(self.chains()[2], code)

    def norms(self) -> Tensor:
        """Return the Frobenius norm of every weight and every bias, (R, blocks)."""
        return torch.stack([block.norm(dim=1) for block in self.rows.split(self.layout.blocks(), 1)], 1)


def through(chain: Chain, x: Tensor) -> Tensor:
    """Return a chain's output: ReLU after every layer but the last."""
    for weight, bias in chain[:-1]:
        x = torch.baddbmm(bias, x, weight).relu()
    weight, bias = chain[-1]
    return torch.baddbmm(bias, x, weight)


def initial(layout: Layout, generator: torch.Generator) -> Tensor:
    """Return the first weights of one network (layout.weights,), uniform within 1 / sqrt(fan_in)."""
    bounds = [1 / math.sqrt(fan_in) for chain in layout.chains() for fan_in, _ in chain for _ in range(2)]
    scale = torch.tensor(bounds).repeat_interleave(torch.tensor(layout.blocks()))
    return (2 * torch.rand(layout.weights, generator=generator) - 1) * scale


def target_information_terms(model: StochasticNets, x: Tensor, y: Tensor, noise: Tensor, *, target: float = 1.5) -> Terms:
    r"""Return the cross-entropy of a sampled code, and the price target - I(X;Z), whose weight may take either sign.

    I is `mi_channel` of the same sample. Raising the weight by rate * price, a dual ascent, drives I towards the target.
    x: (R, n, d), y: labels (R, n), noise: (R, n, k) -> terms (R,), nats. Source: [kawaguchi2023how], for the toy experiment.
    """
    mean, deviation = model.encode(x)
    code = mean + deviation * noise
    prediction = model.decode(code)
    information = mi_channel(pair_densities(code, mean, deviation))
    watch = {"code": code, "mean": mean, "deviation": deviation, "prediction": prediction}
    return Terms(miss(prediction, y), target - information, watch)
