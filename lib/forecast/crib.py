"""CRIB: patches of all variates in one attention, a Gaussian code of each variate, and a second, noisy view to agree with."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lib.core import checks
from lib.core.types import Terms
from lib.forecast.layers import Affine, CausalBlock, Encoder, Level, Noise, RevIN, level, sinusoids
from lib.forecast.models import Forecaster, miss
from lib.forecast.windows import Frame

CODES = {"sampled": "the forecast is made from the sampled code", "unused": "the forecast is made beside the code"}
JITTER = 0.01  # spread of the second view's noise, in spreads of the batch


class Read(NamedTuple):
    """What CRIB makes of a batch of windows."""

    tokens: Tensor  # (R, B, P, N, width) after attention
    mean: Tensor  # (R, B, N, width) of the code
    variance: Tensor  # (R, B, N, width)
    prediction: Tensor  # (R, B, horizon, N)


def gaussian_kl(mean: Tensor, variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) = (mean² + variance - 1 - log variance) / 2, nats, element by element."""
    return 0.5 * (mean.square() + variance - 1 - variance.log())


def second_view(x: Tensor, noise: Noise) -> Tensor:
    """Return x + 0.01 e with e ~ N(mean(x), std(x)), mean and spread of each member's whole batch (R, B, S, N)."""
    flat = x.flatten(1)
    mean, spread = (s.view(-1, 1, 1, 1) for s in (flat.mean(1), flat.std(1)))
    return x + JITTER * (mean + spread * noise.normal(x.shape[1:]).to(x.device))


class Crib(Forecaster):
    """The model of [yang2025crib] with a projection each for keys and values.

    code: "sampled", the code that is charged for is the one that the forecast is made from; "unused", as the paper's program
    has it, the forecast reads the tokens themselves and the charge reaches the encoder only.
    consistency, kl: weights of the two prices; kl is for the sum over batch, variates and units. Source: [yang2025crib].
    Errors: ValueError for windows that patches do not fill, for an unknown code.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        frame: Frame,
        shape: dict,
        *,
        code: str = "sampled",
        consistency: float = 1.0,
        kl: float = 1e-6,
    ) -> None:
        super().__init__(seeds, frame, shape)
        checks.known(code, CODES, "code")
        width, patch, dropout, generators = self.shape["width"], self.shape["patch"], self.shape["dropout"], self.generators
        if frame.look % patch:
            raise ValueError(f"look must be a multiple of patch, got {frame.look} and {patch}")
        self.sampled, self.consistency, self.kl = code == "sampled", consistency, kl
        joined = frame.look // patch * width
        self.revin = RevIN(len(generators))
        self.first = CausalBlock(patch, 2 * width, 1, dropout, generators)
        self.second = CausalBlock(2 * width, width, 2, dropout, generators)
        self.encoder = Encoder(self.shape, generators)
        self.code_in, self.code_out = Affine(joined, width, generators), Affine(width, 2 * width, generators)
        self.say_in = Affine(width if self.sampled else joined, width, generators)
        self.say_out = Affine(width, frame.horizon, generators)

    def tokens(self, x: Tensor, noise: Noise | None) -> Tensor:
        """Return one token a patch and variate, normalised windows (R, B, S, N) -> (R, B, P, N, width)."""
        patches = x.unflatten(2, (-1, self.shape["patch"])).transpose(3, 4)  # (R, B, P, N, patch)
        count, variates = patches.shape[2:4]
        patches = patches + sinusoids(count * variates, self.shape["patch"]).view(count, variates, -1).to(x)
        steps = self.second(self.first(patches.transpose(2, 3), noise), noise)  # over the patches of each variate
        flat = steps.transpose(2, 3).flatten(2, 3)  # (R, B, P N, width): all variates attend to each other
        return self.encoder(flat, noise).unflatten(2, (count, variates))

    def read(self, tokens: Tensor, by: Level, noise: Noise | None) -> Read:
        """Return code and forecast; without noise the code is its mean."""
        joined = tokens.transpose(2, 3).flatten(3)  # (R, B, N, P width)
        mean, raw = self.code_out(self.code_in(joined).relu()).chunk(2, -1)
        variance = F.softplus(raw) + 1e-9
        code = joined
        if self.sampled:
            code = mean if noise is None else mean + variance.sqrt() * noise.normal(mean.shape[1:]).to(mean.device)
        said = self.say_out(self.say_in(code).relu()).transpose(2, 3)
        return Read(tokens, mean, variance, self.revin.restore(said, by))

    def forward(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Return the forecast."""
        by = level(x)
        return self.read(self.tokens(self.revin(x, by), noise), by, noise).prediction

    def terms(self, x: Tensor, y: Tensor, known: Tensor, noise: Noise) -> Terms:
        """Return the error, and what code and views cost; see `crib_terms`."""
        views = torch.cat([x, second_view(x, noise)], 1) if self.consistency else x
        own, *other = self.tokens(self.revin(views, level(views)), noise).split(x.shape[1], 1)
        read = self.read(own, level(x), noise)
        return crib_terms(read, other[0] if other else own, y, known, weights=(self.consistency, self.kl))


def crib_terms(read: Read, other: Tensor, y: Tensor, known: Tensor, *, weights: tuple[float, float]) -> Terms:
    """L = MAE(prediction, y) + w_c MSE(Z, Z') + w_KL sum KL(q(z|x) || N(0, I)).

    other: Z', the tokens of the second view, as read.tokens. The KL is summed over batch, variates and units, in nats.
    Source: [yang2025crib].
    """
    consistency = (read.tokens - other).square().flatten(1).mean(1)
    kl = gaussian_kl(read.mean, read.variance).flatten(1).sum(1)
    price = weights[0] * consistency + weights[1] * kl
    return Terms(miss(read.prediction, y, known), price, {"consistency": consistency, "kl": kl / y.shape[1]})
