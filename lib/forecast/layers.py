"""Parts of forecasters. Every weight carries a leading axis of R members; tensors are (R, batch, ..., features)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.nets.stacked import Linears

Generators = Sequence[torch.Generator]


class Noise:
    """Random numbers for R members, each from its own generator: a member is the same in any company."""

    def __init__(self, generators: Generators) -> None:
        self.generators = generators

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Return standard normal numbers (R, *shape)."""
        return torch.stack([torch.randn(*shape, generator=g) for g in self.generators])

    def keep(self, shape: Sequence[int], rate: float) -> Tensor:
        """Return (R, *shape) that is 0 with probability `rate` and 1 / (1 - rate) otherwise."""
        kept = [torch.empty(*shape).bernoulli_(1 - rate, generator=g) for g in self.generators]
        return torch.stack(kept).div_(1 - rate)


def dropped(x: Tensor, rate: float, noise: Noise | None) -> Tensor:
    """Set a share of x to 0 and scale the rest up, in training; leave x alone without noise."""
    return x if noise is None or rate == 0 else x * noise.keep(x.shape[1:], rate).to(x.device)


class Affine(Linears):
    """R linear maps on the last axis of (R, ..., fan_in), with torch's own spread of first weights, 1 / sqrt(3 fan_in)."""

    def __init__(self, fan_in: int, fan_out: int, generators: Generators) -> None:
        super().__init__(fan_in, fan_out, generators, 1 / math.sqrt(3))

    def forward(self, x: Tensor) -> Tensor:
        """Return x W + b for every member."""
        return super().forward(x.flatten(1, -2)).view(*x.shape[:-1], -1)


class LayerNorm(nn.Module):
    """R layer norms on the last axis of (R, ..., width)."""

    def __init__(self, width: int, members: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, 1, width))
        self.bias = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return x with mean 0 and variance 1 on the last axis, then scaled and shifted."""
        flat = F.layer_norm(x, x.shape[-1:]).flatten(1, -2)
        return torch.addcmul(self.bias, flat, self.weight).view(x.shape)


class AttentionLayer(nn.Module):
    """Self-attention and a network of four times the width, each added to its input and normalised after.

    Queries, keys and values have a projection each. Source: [vaswani2017attention].
    """

    def __init__(self, width: int, heads: int, dropout: float, generators: Generators) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.out = (Affine(width, width, generators) for _ in range(4))
        self.up, self.down = Affine(width, 4 * width, generators), Affine(4 * width, width, generators)
        self.first, self.second = LayerNorm(width, len(generators)), LayerNorm(width, len(generators))

    def attend(self, x: Tensor) -> Tensor:
        """Return softmax(Q K' / sqrt(d)) V of every head, put together and projected, (R, B, n, width)."""
        q, k, v = (  # (R B, heads, n, width / heads)
            layer(x).unflatten(-1, (self.heads, -1)).transpose(2, 3).flatten(0, 1)
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        return self.out(mixed.reshape(x.shape))

    def forward(self, x: Tensor, noise: Noise | None) -> Tensor:
        """Mix tokens, then features, (R, B, n, width)."""
        x = self.first(x + dropped(self.attend(x), self.dropout, noise))
        inner = dropped(self.up(x).relu(), self.dropout, noise)
        return self.second(x + dropped(self.down(inner), self.dropout, noise))


class Encoder(nn.Module):
    """Attention layers and a last norm over tokens (R, B, n, width)."""

    def __init__(self, shape: dict, generators: Generators) -> None:
        super().__init__()
        made = (AttentionLayer(shape["width"], shape["heads"], shape["dropout"], generators) for _ in range(shape["layers"]))
        self.layers = nn.ModuleList(made)
        self.norm = LayerNorm(shape["width"], len(generators))

    def forward(self, x: Tensor, noise: Noise | None) -> Tensor:
        """Return the tokens after every layer."""
        for layer in self.layers:
            x = layer(x, noise)
        return self.norm(x)


class CausalConv(nn.Module):
    """R convolutions of three taps that read no later step, with normed weights, (R, ..., steps, fan_in).

    y_t = b + sum_k W_k x_(t - k dilation), columns of W = gain * V / |V|. Source: [bai2018empirical] [salimans2016weight].
    """

    def __init__(self, fan_in: int, fan_out: int, dilation: int, generators: Generators) -> None:
        super().__init__()
        start = Affine(3 * fan_in, fan_out, generators)
        self.dilation, self.direction, self.bias = dilation, start.weight, start.bias
        self.gain = nn.Parameter(start.weight.detach().norm(dim=1, keepdim=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution, as long as its input."""
        steps = x.shape[-2]
        lagged = torch.cat([F.pad(x, (0, 0, k * self.dilation, 0))[..., :steps, :] for k in (2, 1, 0)], -1)
        weight = self.gain * self.direction / self.direction.norm(dim=1, keepdim=True)
        return torch.baddbmm(self.bias, lagged.flatten(1, -2), weight).view(*lagged.shape[:-1], -1)


class CausalBlock(nn.Module):
    """Two causal convolutions beside a linear map of the input. Source: [bai2018empirical], fig. 1."""

    def __init__(self, fan_in: int, fan_out: int, dilation: int, dropout: float, generators: Generators) -> None:
        super().__init__()
        self.dropout = dropout
        self.first = CausalConv(fan_in, fan_out, dilation, generators)
        self.second = CausalConv(fan_out, fan_out, dilation, generators)
        self.beside = Affine(fan_in, fan_out, generators)

    def forward(self, x: Tensor, noise: Noise | None) -> Tensor:
        """Return (R, ..., steps, fan_out)."""
        inner = dropped(self.first(x).relu(), self.dropout, noise)
        inner = dropped(self.second(inner).relu(), self.dropout, noise)
        return (inner + self.beside(x)).relu()


def sinusoids(positions: int, width: int) -> Tensor:
    """Return codes of positions (positions, width): sin and cos of p / 10000^(2i/width). Source: [vaswani2017attention]."""
    angle = torch.arange(positions)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :width]


class Level(NamedTuple):
    """What a window was normalised by, each (R, B, 1, N)."""

    mean: Tensor
    spread: Tensor


def level(x: Tensor) -> Level:
    """Return mean and spread over time of every window and variate of x (R, B, S, N); filled zeros count as values."""
    return Level(x.mean(2, keepdim=True), (x.var(2, keepdim=True, correction=0) + 1e-5).sqrt())


class RevIN(nn.Module):
    """Reversible instance normalisation: (x - mean) / spread of each window, with one scale and shift for all variates.

    Source: [kim2022reversible]; a single scale and shift as in [yang2025crib].
    """

    def __init__(self, members: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, 1, 1, 1))
        self.bias = nn.Parameter(torch.zeros(members, 1, 1, 1))

    def forward(self, x: Tensor, by: Level) -> Tensor:
        """Normalise (R, B, S, N)."""
        return (x - by.mean) / by.spread * self.weight + self.bias

    def restore(self, y: Tensor, by: Level) -> Tensor:
        """Undo it, for as many times as y has."""
        return (y - self.bias) / self.weight * by.spread + by.mean
