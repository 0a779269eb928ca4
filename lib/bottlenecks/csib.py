"""Cauchy-Schwarz information bottleneck for regression, as printed and as its public code trains it."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from lib.core.types import Terms
from lib.estimators.cs import conditional_cs_divergence, cs_qmi_normalised, misplaced_cs_divergence
from lib.nets.stacked import Bottleneck
from lib.training.misses import as_matrix


def cs_ib_terms(
    model: Bottleneck,
    x: Tensor,
    y: Tensor,
    noise: Tensor,
    *,
    widths: tuple[float, float] = (0.3, 1.0),
    price_widths: tuple[float, float] = (1.0, 1.0),
) -> Terms:
    r"""Return D_CS(p(y|x); q(y_hat|x)) by Proposition 1 and the normalised I_CS(x; t) by Proposition 2.

    x: (R, n, d), y: (R, n, dy) -> terms (R,); fit in nats, price in [0, 1]. `widths` are those of x and y in the fit,
    `price_widths` those of x and t in the price. The fit wants a narrow kernel in x: at width 1 on 8 standardised inputs it
    was seen to diverge. `noise` is not used: the published training calls the encoder without it. Source: [yu2024csib].
    """
    return priced(model, x, y, partial(conditional_cs_divergence, width_x=widths[0], width_y=widths[1]), price_widths)


def cs_ib_misplaced_terms(
    model: Bottleneck,
    x: Tensor,
    y: Tensor,
    noise: Tensor,
    *,
    widths: tuple[float, float] = (1.0, 1.0),
    price_widths: tuple[float, float] = (1.0, 1.0),
) -> Terms:
    r"""Return CS-IB with sum_i K_ji^2 in the denominators of its fit, as the public code would train with targets (n, 1).

    x: (R, n, d), y: (R, n, dy) -> terms (R,), as `cs_ib_terms`. Source: [yu2024csib], its code.
    """
    return priced(model, x, y, partial(misplaced_cs_divergence, width_x=widths[0], width_y=widths[1]), price_widths)


def cs_ib_sse_terms(
    model: Bottleneck, x: Tensor, y: Tensor, noise: Tensor, *, price_widths: tuple[float, float] = (1.0, 1.0)
) -> Terms:
    r"""Return sum_i |y_i - y_hat_i|^2 and the normalised I_CS(x; t): what the public code of CS-IB really trains.

    It hands its kernel vectors (n,), each of which is taken for a single point; every entry of its Gram matrices is then the
    same number, and its fit collapses to the sum of squares. x: (R, n, d), y: (R, n, dy) -> terms (R,).
    Source: [yu2024csib], its code.
    """
    return priced(model, x, y, squares, price_widths)


def squares(x: Tensor, y: Tensor, prediction: Tensor) -> Tensor:
    """Return sum_i |y_i - y_hat_i|^2, (..., n, dy) -> (...)."""
    return (prediction - y).square().sum((-2, -1))


def priced(
    model: Bottleneck, x: Tensor, y: Tensor, fit: Callable[[Tensor, Tensor, Tensor], Tensor], price_widths: tuple[float, float]
) -> Terms:
    """Return fit(x, y, y_hat) of a network without noise, and the normalised I_CS(x; t)."""
    code = model.mean(x)
    prediction = model.decode(code)
    price = cs_qmi_normalised(x, code, width_x=price_widths[0], width_y=price_widths[1])
    return Terms(fit(x, as_matrix(y, prediction.shape[-1]), prediction), price, {"code": code, "prediction": prediction})
