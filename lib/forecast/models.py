"""Forecasters to compare with: R members side by side read (R, B, look, N) and say (R, B, horizon, N).

`shape` gives width, layers, heads, patch and dropout to all alike; what a model does not need it leaves.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.core import checks
from lib.core.types import Terms
from lib.forecast.layers import Affine, Encoder, Noise, dropped, level, sinusoids
from lib.forecast.windows import Frame

SHAPE = {"width": 32, "layers": 3, "heads": 4, "patch": 8, "dropout": 0.1}


def miss(prediction: Tensor, y: Tensor, known: Tensor) -> Tensor:
    """Return the mean absolute error (R,) over the values (R, B, horizon, N) that the record has."""
    known = known.to(y.dtype)
    return ((prediction - y).abs() * known).flatten(1).sum(1) / known.flatten(1).sum(1).clamp_min(1)


def shaped(shape: dict) -> dict:
    """Return the shape with its defaults, refusing names and numbers that cannot be."""
    if unknown := sorted(set(shape) - set(SHAPE)):
        raise ValueError(f"a shape has no {unknown[0]!r}; it takes {', '.join(SHAPE)}")
    made = SHAPE | shape
    for name in ("width", "layers", "heads", "patch"):
        checks.counted(made[name], name)
    if not 0 <= made["dropout"] < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {made['dropout']!r}")
    return made


class Forecaster(nn.Module):
    """What all forecasters share: the error on known targets is what they minimise, unless they say otherwise."""

    def __init__(self, seeds: Sequence[int], frame: Frame, shape: dict) -> None:
        super().__init__()
        self.frame, self.shape = frame, shaped(shape)
        self.generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def terms(self, x: Tensor, y: Tensor, known: Tensor, noise: Noise) -> Terms:
        """Return what training minimises, the sum of fit and price, each (R,)."""
        fit = miss(self(x, noise), y, known)
        return Terms(fit, torch.zeros_like(fit))


class DLinear(Forecaster):
    """A moving mean of 25 steps and what is left of it, each mapped linearly to the future, one map for all variates.

    Both maps start as means. Source: [zeng2023transformers].
    """

    def __init__(self, seeds: Sequence[int], frame: Frame, shape: dict) -> None:
        super().__init__(seeds, frame, shape)
        self.trend, self.rest = (Affine(frame.look, frame.horizon, self.generators) for _ in range(2))
        for layer in (self.trend, self.rest):
            nn.init.constant_(layer.weight, 1 / frame.look)

    def forward(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Return the forecast."""
        past = x.transpose(2, 3)  # (R, B, N, look)
        padded = F.pad(past.flatten(0, 1), (12, 12), mode="replicate")
        trend = F.avg_pool1d(padded, 25, 1).view(past.shape)
        return (self.trend(trend) + self.rest(past - trend)).transpose(2, 3)


class PatchTST(Forecaster):
    """Attention over the patches of each variate alone; the last step is repeated to make one patch more.

    Windows are normalised and restored. Source: [nie2023time].
    """

    def __init__(self, seeds: Sequence[int], frame: Frame, shape: dict) -> None:
        super().__init__(seeds, frame, shape)
        width, patch = self.shape["width"], self.shape["patch"]
        count = frame.look // patch + 1
        self.embed = Affine(patch, width, self.generators)
        self.encoder = Encoder(self.shape, self.generators)
        self.head = Affine(count * width, frame.horizon, self.generators)
        self.register_buffer("places", sinusoids(count, width))

    def forward(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Return the forecast."""
        by, patch = level(x), self.shape["patch"]
        past = ((x - by.mean) / by.spread).transpose(2, 3).flatten(1, 2)  # (R, B N, look)
        patches = F.pad(past, (0, patch), mode="replicate").unfold(2, patch, patch)
        tokens = self.embed(patches) + self.places
        tokens = self.encoder(dropped(tokens, self.shape["dropout"], noise), noise)
        future = self.head(tokens.flatten(2)).view(*x.shape[:2], x.shape[3], -1)
        return future.transpose(2, 3) * by.spread + by.mean


class ITransformer(Forecaster):
    """Attention over variates, each a token of its whole past; windows are normalised and restored.

    Source: [liu2024itransformer].
    """

    def __init__(self, seeds: Sequence[int], frame: Frame, shape: dict) -> None:
        super().__init__(seeds, frame, shape)
        self.embed = Affine(frame.look, self.shape["width"], self.generators)
        self.encoder = Encoder(self.shape, self.generators)
        self.head = Affine(self.shape["width"], frame.horizon, self.generators)

    def forward(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Return the forecast."""
        by = level(x)
        tokens = self.embed(((x - by.mean) / by.spread).transpose(2, 3))  # (R, B, N, width)
        tokens = self.encoder(dropped(tokens, self.shape["dropout"], noise), noise)
        return self.head(tokens).transpose(2, 3) * by.spread + by.mean
