"""Lossy compression in front of any estimator: many columns become few, by a code fitted on rows that are not measured.

What a code keeps bounds what there is: I(f(X); g(Y)) <= I(X; Y), equal for codes from which the samples can be told. An
estimator of few columns is therefore given a problem that it can solve, at the price of what the codes lose.
Source: [butakov2024information].
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from lib.core import checks
from lib.core.precision import usual

Code = Callable[[Tensor], Tensor]  # (n, d) -> (n, dim)


class Projection(NamedTuple):
    """A code that is a projection on orthonormal axes."""

    mean: Tensor  # (d,)
    axes: Tensor  # (d, dim)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the code, (n, d) -> (n, dim)."""
        return (checks.matrix(x, "x").double() - self.mean) @ self.axes


def pca(x: Tensor, dim: int) -> Projection:
    """Fit the `dim` orthonormal axes of largest variance to x (n, d); codes are float64, the axis of most variance first.

    Each axis points so that its largest entry is positive. Errors: more axes than columns or than rows less one.
    """
    n, d = checks.matrix(x, "x").shape
    if checks.counted(dim, "dim") > min(n - 1, d):
        raise ValueError(f"dim is {dim}, but {n} rows of {d} columns span {min(n - 1, d)} axes; give at most that many")
    mean = x.detach().double().mean(0)
    axes = principal(x.detach().double() - mean, dim)
    return Projection(mean, axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign())


def principal(z: Tensor, dim: int) -> Tensor:
    """Return the first right singular vectors of centred rows, (n, d) -> (d, dim).

    Few long rows have a small Gram matrix, whose eigenvectors cost a tenth; directions too weak to stand its squares do not.
    """
    if len(z) < z.shape[1]:
        values, left = torch.linalg.eigh(z @ z.T)
        if values[-dim] > 1e-6 * values[-1]:
            axes = z.T @ left[:, -dim:].flip(1)
            return axes / axes.norm(dim=0)
    return torch.linalg.svd(z, full_matrices=False).Vh[:dim].T


class Autoencoder(nn.Module):
    """An encoder and a decoder of standardised rows, (n, d) -> (n, dim) -> (n, d). Called, it encodes."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("mean", mean), self.register_buffer("spread", spread)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return the code, (n, d) -> (n, dim) float64."""
        return self.encoder((checks.matrix(x, "x").to(self.mean) - self.mean) / self.spread).double()


def perceptron(d: int, dim: int) -> tuple[nn.Module, nn.Module]:
    """Return encoder and decoder with two hidden layers of 64 units."""

    return chain([d, 64, 64, dim]), chain([dim, 64, 64, d])


def chain(sizes: list[int]) -> nn.Sequential:
    """Return linear layers with swish between them, their weights not yet drawn."""
    layers = []
    for a, b in pairwise(sizes):
        layers += [skip_init(nn.Linear, a, b), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def convolutional(d: int, dim: int) -> tuple[nn.Module, nn.Module]:
    """Return an encoder of square images that halves them to 4 x 4 by convolutions, and a decoder with hidden layers.

    A block is a 3 x 3 convolution (4 filters, then 8), LeakyReLU of slope 0.2 and max-pooling; unlike the paper's it has no
    batch normalisation. It learns slower than the perceptron. Errors: d is no square of a side that is 4 times a power of 2.
    """
    size = math.isqrt(d)
    blocks = (size // 4).bit_length() - 1
    if blocks < 1 or (4 << blocks) ** 2 != d:
        raise ValueError(f"{d} columns are no square image of side 8, 16, 32, ...; use kind='perceptron'")
    layers, width = [nn.Unflatten(1, (1, size, size))], 1
    for block in range(blocks):
        into = 4 if block == 0 else 8
        layers += [skip_init(nn.Conv2d, width, into, 3, padding=1), nn.LeakyReLU(0.2), nn.MaxPool2d(2)]
        width = into
    return nn.Sequential(*layers, nn.Flatten(), chain([16 * width, 64, dim])), chain([dim, 64, 64, d])


KINDS = {"convolutional": convolutional, "perceptron": perceptron}


def autoencoder(
    x: Tensor, dim: int, *, seed: int, kind: str = "perceptron", steps: int = 1000, noise: float = 0.1
) -> Autoencoder:
    """Fit an autoencoder to x (n, d) by Adam: clean rows from rows with normal noise added, least mean absolute error.

    `noise` is its deviation in units of the columns' common spread, kind a name of KINDS. Weights, batches of 256 and noise
    follow from the seed.
    """
    n, d = checks.enough(checks.matrix(x, "x"), "x", 2).shape
    checks.counted(dim, "dim"), checks.counted(steps, "steps"), checks.positive(noise, "noise")
    x = usual(x.detach())
    # One spread for all columns, as pixels that hardly change must not count like those that do.
    mean = x.mean(0)
    spread = (x - mean).square().mean().sqrt().clamp_min(1e-12)
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = checks.known(kind, KINDS, "kind")(d, dim)
    model = drawn(Autoencoder(encoder, decoder, mean, spread), generator).to(x.device)
    optimizer, clean = torch.optim.Adam(model.parameters(), lr=2e-3, fused=True), (x - mean) / spread
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        batch = clean[torch.randint(n, (min(256, n),), generator=generator).to(x.device)]
        hidden = model.encoder(batch + noise * torch.randn(batch.shape, generator=generator).to(x.device))
        optimizer.zero_grad()
        (model.decoder(hidden) - batch).abs().mean().backward()
        optimizer.step(), schedule.step()
    return model.eval()


@torch.no_grad()
def drawn(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Draw weights of deviation sqrt(2 / fan_in) from the generator; biases are 0."""
    for p in model.parameters():
        deviation = math.sqrt(2 / p[0].numel()) if p.ndim > 1 else 0.0
        p.copy_(deviation * torch.randn(p.shape, generator=generator))
    return model


def mi_compressed(
    x: Tensor,
    y: Tensor,
    *,
    fit_x: Callable[[Tensor], Code],
    fit_y: Callable[[Tensor], Code],
    mi: Callable[[Tensor, Tensor], Tensor],
    fitted: int,
) -> Tensor:
    """Return mi(code of x, code of y), both codes fitted on the first `fitted` rows and measured on the others.

    x: (n, dx), y: (n, dy), paired, rows in no order -> what `mi` returns, nats. A code fitted on the rows it is measured on
    may know them by heart. Errors: fewer than 2 rows on either side of `fitted`.
    """
    checks.paired(x, y)
    if not 2 <= checks.counted(fitted, "fitted") <= len(x) - 2:
        raise ValueError(f"fitted is {fitted} of {len(x)} rows; leave at least 2 to fit codes on and 2 to measure")
    codes = (fit(z[:fitted])(z[fitted:]) for fit, z in ((fit_x, x), (fit_y, y)))
    return mi(*codes)
