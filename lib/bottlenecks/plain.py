"""No bottleneck: the network as it is."""

from torch import Tensor

from lib.core.types import Terms
from lib.nets.stacked import Bottleneck
from lib.training.misses import miss


def plain_terms(model: Bottleneck, x: Tensor, y: Tensor, noise: Tensor) -> Terms:
    r"""Return the prediction's miss and a price of 0.

    x: (R, n, d), y: (R, n, dy) or labels (R, n) -> terms (R,). `noise` is not used.
    """
    code = model.mean(x)
    prediction = model.decode(code)
    fit = miss(prediction, y)
    return Terms(fit, fit.new_zeros(fit.shape), {"code": code, "prediction": prediction})
