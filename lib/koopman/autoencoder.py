"""Autoencoders whose code moves linearly, and the objective that shapes their code by information.

R members side by side; x: (R, B, T, n) are B windows of T frames, y: (R, B, T - 1, m) what acted between them, m often 0, and
noise: (R, B, T, d) standard normal.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lib.core import checks
from lib.core.types import Terms
from lib.koopman.entropy import ENTROPIES
from lib.koopman.information import INFORMATION
from lib.koopman.operators import operator
from lib.nets.convolutions import chains
from lib.nets.stacked import GAIN, LEARNED, Bottleneck

OWN_STREAM = 10**9  # operators draw from seeds of their own, so that a code's first weights do not depend on the operator


class Recipe(NamedTuple):
    """What each term of the objective weighs, a number for all members or (R,), and in which form it comes."""

    identity: float | Tensor = 1.0  # decoding a frame's own code
    prediction: float | Tensor = 1.0  # decoding the code that is led on by one step
    alpha: float | Tensor = 0.0  # rewards information between near frames
    beta: float | Tensor = 0.0  # charges codes that the operator does not lead to
    gamma: float | Tensor = 0.0  # rewards entropy of the code as the paper does; negative, charges it as its public code does
    scale: float | Tensor = 0.0  # charges (tr C / d - 1)^2, since a cosine leaves the code's length free
    prior: float | Tensor = 0.0  # charges KL from the standard normal, of codes with noise
    information: str = "infonce_batch"
    entropy: str = "mixed"
    reach: int = 3
    temperature: float = 0.1
    reduction: str = "mean"  # of squared errors over a window's frames, or their "sum"


PAPER = Recipe(alpha=2.0, gamma=0.1, information="infonce_printed", temperature=0.07)
# The signs, weights and forms that the released training runs; its operator is "averaged".
PUBLIC_CODE = Recipe(
    identity=0.1, alpha=2.0, gamma=-0.1, information="infonce_window", entropy="clamped", temperature=0.1, reduction="sum"
)


class Autoencoder(Bottleneck):
    """R networks input -> code -> input with a latent operator each; shape as for `Bottleneck`, and operator and controls.

    `operator` is a name of lib.koopman.operators ("pooled" unless given), `controls` the number of columns that act. Where
    the shape has `fields` (channels, height, width), rows are flat fields, and convolutions, one for each entry of `channels`,
    halve them before the hidden layers and double them after the decoder's.
    """

    def __init__(self, seeds: Sequence[int], inputs: int, shape: dict) -> None:
        own = [torch.Generator().manual_seed(int(seed) + OWN_STREAM) for seed in seeds]
        if "fields" in shape:
            down, up, flat = halved(inputs, shape, own)
            super().__init__(seeds, flat, flat, shape | {"decoder": [*shape.get("decoder", []), flat]})
            self.encoder, self.decoder, self.output = down + self.encoder, self.decoder + up[:-1], up[-1]
        else:
            super().__init__(seeds, inputs, inputs, shape)
        self.operator = operator(shape.get("operator", "pooled"), self.code_size, own, controls=shape.get("controls", 0))
        self.step_logvar = nn.Parameter(torch.zeros(len(own), 1, 1, self.code_size))

    def codes(self, x: Tensor) -> Tensor:
        """Return the mean code of every frame, (R, B, T, n) -> (R, B, T, d)."""
        return self.mean(windows(x).flatten(1, 2)).unflatten(1, x.shape[1:3])

    def frames(self, z: Tensor) -> Tensor:
        """Return what every code decodes to, (R, B, T, d) -> (R, B, T, n)."""
        return self.decode(z.flatten(1, 2)).unflatten(1, z.shape[1:3])


def halved(inputs: int, shape: dict, generators: Sequence[torch.Generator]) -> tuple[nn.ModuleList, nn.ModuleList, int]:
    """Return the convolutions of a shape with fields, down and up, and the width of what lies between."""
    if inputs != math.prod(shape["fields"]):
        raise ValueError(
            f"fields {tuple(shape['fields'])} make {math.prod(shape['fields'])} values a row, got {inputs}; flatten x"
        )
    activation = checks.known(shape["activation"], GAIN, "activation")
    down, up, flat = chains(shape["fields"], shape["channels"], generators, activation, LEARNED.get(shape["activation"], ()))
    return nn.ModuleList(down), nn.ModuleList(up), flat


def windows(x: Tensor) -> Tensor:
    """Refuse anything but stacked windows of at least two frames."""
    if x.ndim != 4 or x.shape[2] < 2:
        raise ValueError(f"x must be windows (R, B, T, n) with T >= 2, got {tuple(x.shape)}; flatten fields to n values")
    return x


def led(past: Tensor, w: Tensor) -> Tensor:
    """Return past W, (R, B, t, d + m) and (R, d + m, d) -> (R, B, t, d)."""
    return (past.flatten(1, 2) @ w).unflatten(1, past.shape[1:3])


def missed(found: Tensor, x: Tensor, reduction: str) -> Tensor:
    """Return the squared error (R,), a mean over values and windows, and over frames as `reduction` says."""
    frames = (found - x).square().mean((1, 3))
    return checks.known(reduction, {"mean": frames.mean(1), "sum": frames.sum(1)}, "reduction")


def off(weight: float | Tensor) -> bool:
    """Return whether a term weighs nothing for any member, and need not be computed."""
    return not isinstance(weight, Tensor) and weight == 0


def information_ae_terms(model: Autoencoder, x: Tensor, y: Tensor, noise: Tensor, *, recipe: Recipe) -> Terms:
    r"""Return reconstruction and prediction, and -alpha I + beta |z_{n+1} - z_n K|^2 - gamma S(rho), `noise` not used.

    Every term (R,) is in `watch` under its name. Source: [cheng2026information], Alg. 2.
    """
    z = model.codes(x)
    past, w = turned(model, z, y)
    onward = led(past, w)
    price = {} if off(recipe.beta) else {"consistency": (z[:, :, 1:] - onward).square().sum(-1).mean((1, 2))}
    return weighed(model, x, (z, onward), price, recipe)


def information_vae_terms(model: Autoencoder, x: Tensor, y: Tensor, noise: Tensor, *, recipe: Recipe) -> Terms:
    r"""Return the same of sampled codes z = mean + s noise, the consistency KL(p(z_n | x_n) || N(z_{n-1} K, S)), S learned.

    Squared errors stand for log-likelihoods of unit variance up to 1/2 and constants; `prior` weighs the ELBO's own KL from
    N(0, I). Nats. Source: [cheng2026information], Alg. 1.
    """
    mean, logvar = (part.unflatten(1, x.shape[1:3]) for part in model.encode(windows(x).flatten(1, 2)))
    z = mean + (logvar / 2).exp() * noise
    past, w = turned(model, z, y)
    onward = led(past, w)
    price = {}
    if not off(recipe.beta):
        price["consistency"] = divergence(mean[:, :, 1:], logvar[:, :, 1:], onward, model.step_logvar)
    if not off(recipe.prior):
        price["prior"] = divergence(mean, logvar, torch.zeros_like(mean), torch.zeros_like(logvar))
    return weighed(model, x, (z, onward), price, recipe)


def divergence(mean: Tensor, logvar: Tensor, towards: Tensor, spread: Tensor) -> Tensor:
    """Return KL of N(mean, e^logvar) from N(towards, e^spread), summed over units and averaged over frames, (R,)."""
    ratio = (logvar - spread).exp() + (mean - towards).square() * (-spread).exp()
    return 0.5 * (ratio - 1 - (logvar - spread)).sum(-1).mean((1, 2))


def turned(model: Autoencoder, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return codes with what acts on them, (R, B, T - 1, d + m), and W."""
    past = torch.cat([z[:, :, :-1], y], -1)
    return past, model.operator(past, z[:, :, 1:])


def weighed(model: Autoencoder, x: Tensor, code: tuple[Tensor, Tensor], price: dict, recipe: Recipe) -> Terms:
    """Return the terms that every form shares, each by its weight."""
    z, onward = code
    both = model.frames(torch.cat([z, onward], 2))
    seen, forecast = both[:, :, : z.shape[2]], both[:, :, z.shape[2] :]
    fit = {
        "reconstruction": missed(seen, x, recipe.reduction),
        "prediction": missed(forecast, x[:, :, 1:], recipe.reduction),
    }
    rows = z.flatten(1, 2)
    if not off(recipe.alpha):
        contrast = checks.known(recipe.information, INFORMATION, "information")
        price["information"] = contrast(z, reach=recipe.reach, temperature=recipe.temperature)
    if not off(recipe.gamma):
        price["entropy"] = checks.known(recipe.entropy, ENTROPIES, "entropy")(rows)
    if not off(recipe.scale):
        price["scale"] = (rows.var(1, correction=0).mean(1) - 1).square()
    weights = {"consistency": recipe.beta, "prior": recipe.prior, "scale": recipe.scale}
    weights |= {"information": -recipe.alpha, "entropy": -recipe.gamma}
    total = sum((weights[name] * value for name, value in price.items()), torch.zeros_like(fit["prediction"]))
    watch = {name: value.detach() for name, value in (fit | price).items()}
    return Terms(
        recipe.identity * fit["reconstruction"] + recipe.prediction * fit["prediction"],
        total,
        watch | {"code": z.detach(), "forecast": forecast.detach()},
    )
