"""HSIC bottleneck: dependence measured by kernels in place of information."""

from torch import Tensor

from lib.core.types import Terms
from lib.estimators.hsic import hsic_normalised
from lib.nets.stacked import Bottleneck
from lib.training.misses import as_matrix, miss


def hsic_terms(
    model: Bottleneck, x: Tensor, y: Tensor, noise: Tensor, *, width_x: float = 1.0, width_y: float = 1.0, width_t: float = 1.0
) -> Terms:
    r"""Return the miss, and nHSIC(x, t) - nHSIC(y, t): dependence on the input, less dependence on the target.

    x: (R, n, d), y: (R, n, dy) or labels (R, n) -> terms (R,); the price has no unit and lies in [-1, 1]. `noise` is not used.
    Both weights of the paper are one here, since beta multiplies them. Source: [wang2021revisiting], after [ma2020hsic].
    """
    code = model.mean(x)
    prediction = model.decode(code)
    target = as_matrix(y, prediction.shape[-1])
    price = hsic_normalised(x, code, width_x=width_x, width_y=width_t) - hsic_normalised(
        target, code, width_x=width_y, width_y=width_t
    )
    return Terms(miss(prediction, y), price, {"code": code, "prediction": prediction})
