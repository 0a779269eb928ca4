"""Nonlinear information bottleneck and its convex relatives: noise of fixed size, a nonparametric bound as the price."""

from collections.abc import Callable

from torch import Tensor

from lib.core.types import Terms
from lib.estimators.kde import upper
from lib.nets.stacked import Bottleneck
from lib.training.misses import miss


def nib_terms(model: Bottleneck, x: Tensor, y: Tensor, noise: Tensor, *, deviation: float = 1.0) -> Terms:
    r"""Return the miss of t = f(x) + s * noise, and I(X;T) <= -mean_i log mean_j exp(-|f_i - f_j|^2 / 2 s^2), s = `deviation`.

    x: (R, n, d), y: (R, n, dy) or labels (R, n), noise: (R, n, k) -> terms (R,), the price in nats, at most log n.
    Source: [kolchinsky2019nonlinear].
    """
    mean = model.mean(x)
    code = mean + deviation * noise
    prediction = model.decode(code)
    return Terms(miss(prediction, y), upper(mean, width=deviation), {"code": code, "prediction": prediction})


def convex(raised: Callable[[Tensor], Tensor]) -> Callable[..., Terms]:
    """Return NIB with price h(I) for a convex h, which makes every point of the trade-off an optimum of some beta."""

    def terms(model: Bottleneck, x: Tensor, y: Tensor, noise: Tensor, *, deviation: float = 1.0) -> Terms:
        plain = nib_terms(model, x, y, noise, deviation=deviation)
        return plain._replace(price=raised(plain.price))

    return terms


square_nib_terms = convex(Tensor.square)
square_nib_terms.__doc__ = """NIB with h(I) = I^2. Source: [rodriguez2020convex]."""
exp_nib_terms = convex(Tensor.exp)
exp_nib_terms.__doc__ = """NIB with h(I) = exp(I), I in nats. Source: [rodriguez2020convex]."""
