"""Small networks, many at once: every weight carries a leading axis of members that never touch each other."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.core import checks


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """Return x above 0 and slope * x below. Source: [he2015delving]."""
    return x.clamp_min(0) + slope * x.clamp_max(0)


def srelu(x: Tensor, low: Tensor, low_slope: Tensor, high: Tensor, high_slope: Tensor) -> Tensor:
    """Return x between two thresholds, and beyond each of them a line of its own slope from there.

    x + (a_l - 1) min(x - t_l, 0) + (a_r - 1) max(x - t_r, 0), which also says what is meant where the thresholds have crossed.
    Source: [jin2016deep].
    """
    return x + (low_slope - 1) * (x - low).clamp_max(0) + (high_slope - 1) * (x - high).clamp_min(0)


ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": F.softplus,
    "elu": F.elu,
    "swish": F.silu,
    "abs": torch.abs,
    "prelu": prelu,
    "srelu": srelu,
}
# What an activation learns, each member and unit its own, and where it starts: both as a leaky ReLU.
LEARNED = {"prelu": (0.25,), "srelu": (0.0, 0.2, 1.0, 1.0)}
# Saturating units start at variance 1 / fan_in, the others at twice the deviation, as [chelombiev2019adaptive] trained them.
GAIN = {name: 1.0 if name == "tanh" else 2.0 for name in ACTIVATIONS}


class Linears(nn.Module):
    """R linear maps side by side, (R, n, fan_in) -> (R, n, fan_out), each followed by the activation f(x, *learned) if any.

    Member r draws its weights from its own generator, a normal of deviation gain / sqrt(fan_in) cut at two deviations, so it is
    the same network whatever it is stacked with. Source: [shwartz2017opening] for the scheme.
    """

    def __init__(
        self, fan_in: int, fan_out: int, generators: Sequence[torch.Generator], gain: float, learned: Sequence[float] = ()
    ) -> None:
        super().__init__()
        scale = gain / math.sqrt(fan_in)
        weights = [nn.init.trunc_normal_(torch.empty(fan_in, fan_out), 0, scale, -2 * scale, 2 * scale, g) for g in generators]
        self.weight = nn.Parameter(torch.stack(weights))
        self.bias = nn.Parameter(torch.zeros(len(weights), 1, fan_out))
        self.learned = nn.ParameterList(torch.full((len(weights), 1, fan_out), start) for start in learned)

    def forward(self, x: Tensor) -> Tensor:
        """Return x W + b for every member, laid out with rows last, so that narrow layers too work on long vectors."""
        return torch.baddbmm(self.bias.mT, self.weight.mT, x.mT).mT


class Bottleneck(nn.Module):
    """R networks input -> hidden layers -> code -> hidden layers -> output, one for each seed given.

    The code has a mean and a log-variance head of `code` units each; objectives without learned noise leave the second alone.
    `activate_code` puts the activation on the code as well, which makes it one more hidden layer of a plain network.
    """

    def __init__(self, seeds: Sequence[int], inputs: int, outputs: int, shape: dict) -> None:
        super().__init__()
        generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        shape = {"decoder": [], "activate_code": False} | shape
        self.activation = checks.known(shape["activation"], ACTIVATIONS, "activation")
        gain, learned = GAIN[shape["activation"]], LEARNED.get(shape["activation"], ())
        self.activate_code = shape["activate_code"]
        self.code_size = shape["code"]

        def chain(sizes: list[int]) -> nn.ModuleList:
            return nn.ModuleList(Linears(a, b, generators, gain, learned) for a, b in pairwise(sizes))

        self.encoder = chain([inputs, *shape["hidden"]])
        last = shape["hidden"][-1] if shape["hidden"] else inputs
        bent = (gain, learned) if self.activate_code else (1.0, ())
        self.mean_head = Linears(last, self.code_size, generators, *bent)
        self.logvar_head = Linears(last, self.code_size, generators, 1.0)
        self.decoder = chain([self.code_size, *shape["decoder"]])
        self.output = Linears(shape["decoder"][-1] if shape["decoder"] else self.code_size, outputs, generators, 1.0)

    def bend(self, layer: Linears, x: Tensor) -> Tensor:
        """Return the activated output of a layer."""
        return self.activation(layer(x), *layer.learned)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the activations of the encoder's hidden layers."""
        layers = []
        for layer in self.encoder:
            x = self.bend(layer, x)
            layers.append(x)
        return layers

    def mean(self, x: Tensor) -> Tensor:
        """Return the code's mean, (R, n, inputs) -> (R, n, code)."""
        return self.code((self.features(x) or [x])[-1])

    def code(self, h: Tensor) -> Tensor:
        """Return the code's mean from the last hidden layer."""
        return self.bend(self.mean_head, h) if self.activate_code else self.mean_head(h)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the code, each (R, n, code)."""
        h = (self.features(x) or [x])[-1]
        return self.mean_head(h), self.logvar_head(h)

    def decode(self, code: Tensor) -> Tensor:
        """Return the prediction, (R, n, code) -> (R, n, outputs): values, or logits of classes."""
        for layer in self.decoder:
            code = self.bend(layer, code)
        return self.output(code)

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return the activations of all hidden layers up to the code, and the class probabilities, each (R, n, width)."""
        layers = self.features(x)
        code = self.code((layers or [x])[-1])
        return [*layers, code, self.decode(code).softmax(-1)]


def relative_noise(x: Tensor, sigma: float, draws: Tensor) -> Tensor:
    """Return x + sigma x e for standard normal draws e of x's shape: zeros stay exactly zero.

    Source: [butakov2024information].
    """
    return x + sigma * x * draws


def draw(shape: Sequence[int], generators: Sequence[torch.Generator], x: Tensor) -> Tensor:
    """Return standard normals, one block a member side by side, (n, c, ...) for each of R -> (n, R c, ...) on x's device."""
    return torch.cat([torch.randn(shape, generator=g) for g in generators], 1).to(x.device)


class StochasticCNN(nn.Module):
    """R networks of three convolutions and two linear maps, with relative noise on the input of each, also when evaluated.

    A convolution (3 x 3; 8, 16, 32 filters) is followed by max-pooling of 2 and LeakyReLU, and in training preceded by dropout;
    then 32 units with LeakyReLU, then log-probabilities. Every member draws its weights, dropout and noise from its own
    generator. Source: [butakov2024information], whose images have a side of 28.
    """

    FILTERS = (1, 8, 16, 32)
    UNITS = 32

    def __init__(
        self, seeds: Sequence[int], *, classes: int = 10, side: int = 28, sigma: float = 1e-3, dropout: float = 0.1
    ) -> None:
        super().__init__()
        generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        self.members, self.side, self.sigma, self.dropout = len(generators), side, checks.positive(sigma, "sigma"), dropout
        end = side
        for _ in self.FILTERS[1:]:
            end = (end - 2) // 2
        if end < 1:
            raise ValueError(f"side is {side}, but three convolutions with pooling want images of at least 22 x 22")
        # A convolution of all members is one of R groups; its weights are drawn as those of linear maps on 3 x 3 patches.
        patches = [Linears(9 * a, b, generators, 1.0) for a, b in pairwise(self.FILTERS)]
        kernels = [p.weight.detach().mT.reshape(-1, p.weight.shape[1] // 9, 3, 3) for p in patches]
        self.kernels = nn.ParameterList(nn.Parameter(k.contiguous()) for k in kernels)
        self.offsets = nn.ParameterList(nn.Parameter(torch.zeros(len(k))) for k in kernels)
        flat = self.FILTERS[-1] * end**2
        self.linears = nn.ModuleList(
            [Linears(flat, self.UNITS, generators, 1.0), Linears(self.UNITS, classes, generators, 1.0)]
        )

    def forward(self, x: Tensor, generators: Sequence[torch.Generator]) -> list[Tensor]:
        """Return what the five layers say, each (R, n, width), the last as log-probabilities; x: (R, n, side * side)."""
        members, n, _ = x.shape
        h, layers = x.transpose(0, 1).reshape(n, members, self.side, self.side), []
        for kernel, offset in zip(self.kernels, self.offsets, strict=True):
            h = self.noisy(h, generators, drop=self.training)
            h = F.leaky_relu(F.max_pool2d(F.conv2d(h, kernel, offset, groups=members), 2))
            layers.append(h.reshape(n, members, -1).transpose(0, 1))
        for layer, activation in zip(self.linears, (F.leaky_relu, lambda z: z.log_softmax(-1)), strict=True):
            mixed = self.noisy(layers[-1].transpose(0, 1).flatten(1), generators).reshape(n, members, -1).transpose(0, 1)
            layers.append(activation(layer(mixed)))
        return layers

    def noisy(self, h: Tensor, generators: Sequence[torch.Generator], *, drop: bool = False) -> Tensor:
        """Add noise to (n, R c, ...), and first zero a share of the entries where `drop` says so."""
        shape = (len(h), h.shape[1] // self.members, *h.shape[2:])
        if drop and self.dropout:
            kept = torch.cat([torch.rand(shape, generator=g) >= self.dropout for g in generators], 1).to(h.device)
            h = h * kept / (1 - self.dropout)
        return relative_noise(h, self.sigma, draw(shape, generators, h))


def clip_members(model: nn.Module, most: float) -> None:
    """Scale each member's gradient to a norm of at most `most`; members do not feel each other."""
    if most == math.inf:
        return
    grads = [p.grad for p in model.parameters() if p.grad is not None and p.grad.numel()]
    norm = sum(g.flatten(1).square().sum(1) for g in grads).sqrt()
    factor = (most / norm.clamp_min(1e-12)).clamp_max(1.0)
    torch._foreach_mul_(grads, [factor.view(-1, *[1] * (g.ndim - 1)) for g in grads])
