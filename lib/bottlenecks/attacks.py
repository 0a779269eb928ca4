"""Inputs changed within a box so that predictions get worse, for all stacked members at once.

White-box attacks on the squared error of a deterministic predictor. Nothing is clipped to a range of valid inputs, as
standardised inputs have none. A perturbation of size eps is counted in units of the inputs, coordinate by coordinate.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lib.core import checks
from lib.nets.stacked import Bottleneck

Predictor = Callable[[Tensor], Tensor]


def settled(model: Bottleneck) -> Predictor:
    """Return x -> decode(mean(x)), (R, n, d) -> (R, n, dy): a network without its noise."""
    return lambda x: model.decode(model.mean(x))


def ascent(predict: Predictor, x: Tensor, y: Tensor) -> Tensor:
    r"""Return sign d/dx |predict(x) - y|^2, (R, n, d); weights gather no gradient.

    Rows and members do not share inputs, so one gradient of the sum holds them all; 0 where the error does not change.
    """
    checks.paired(x, y, least=1)
    moved = x.detach().requires_grad_()
    with torch.enable_grad():
        loss = (predict(moved) - y).square().sum()
    return torch.autograd.grad(loss, moved)[0].sign()


def fgsm(predict: Predictor, x: Tensor, y: Tensor, *, eps: float) -> Tensor:
    r"""Return x + eps * sign d/dx |predict(x) - y|^2.

    x: (R, n, d), y: (R, n, dy) -> (R, n, d). The worst input of the box for a predictor that is linear in x.
    Source: [goodfellow2015explaining].
    """
    return x + checks.positive(eps, "eps") * ascent(predict, x, y)


def pgd(predict: Predictor, x: Tensor, y: Tensor, *, eps: float, step: float, steps: int) -> Tensor:
    r"""Return the last of x_{k+1} = x_k + step * sign d/dx |predict(x_k) - y|^2, each put back into |x_k - x| <= eps.

    x: (R, n, d), y: (R, n, dy) -> (R, n, d). It starts at x itself and gets at most min(eps, steps * step) away.
    Source: [madry2018towards].
    """
    checks.positive(eps, "eps"), checks.positive(step, "step"), checks.counted(steps, "steps")
    moved = x
    for _ in range(steps):
        moved = x + (moved + step * ascent(predict, moved, y) - x).clamp(-eps, eps)
    return moved


@torch.no_grad()
def error(predict: Predictor, x: Tensor, y: Tensor) -> Tensor:
    """Return the mean squared error of each member, (R,)."""
    return (predict(x) - y).square().mean((-2, -1))


def curve(predict: Predictor, x: Tensor, y: Tensor, *, sizes: list[float]) -> list[Tensor]:
    """Return each member's error under FGSM for every size, 0 being the clean error; one gradient serves them all."""
    up = ascent(predict, x, y)
    return [error(predict, x + size * up, y) for size in sizes]
