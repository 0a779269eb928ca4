"""Variational information bottleneck."""

from torch import Tensor

from lib.core.types import Terms
from lib.nets.stacked import Bottleneck
from lib.training.misses import miss


def vib_terms(model: Bottleneck, x: Tensor, y: Tensor, noise: Tensor) -> Terms:
    r"""Return the miss of a sampled code, and KL(q(t|x) || N(0, I)) = sum_k (mu^2 + s^2 - 1 - log s^2) / 2 >= I(X;T).

    x: (R, n, d), y: (R, n, dy) or labels (R, n), noise: (R, n, k) -> terms (R,), the price in nats. Source: [alemi2017deep].
    """
    mean, logvar = model.encode(x)
    code = mean + (0.5 * logvar).exp() * noise
    prediction = model.decode(code)
    price = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(-1).mean(-1)
    return Terms(miss(prediction, y), price, {"code": code, "prediction": prediction})
