"""Weight decay: the squares of the weights as the price, so that with and without are two betas of one program."""

from torch import Tensor

from lib.bottlenecks.plain import plain_terms
from lib.core.types import Terms
from lib.nets.stacked import Bottleneck


def weight_decay_terms(model: Bottleneck, x: Tensor, y: Tensor, noise: Tensor) -> Terms:
    r"""Return the miss, and sum_l |W_l|^2 / 2 over all layers but the last, so that a step shrinks those weights by beta.

    x: (R, n, d), y: (R, n, dy) or labels (R, n) -> terms (R,); the price has no unit, and leaves out biases and whatever an
    activation learns. `noise` is not used. Source: [krogh1991simple], on these layers by [chelombiev2019adaptive].
    """
    weights = [layer.weight for layer in (*model.encoder, model.mean_head, *model.decoder)]
    return plain_terms(model, x, y, noise)._replace(price=0.5 * sum(w.square().sum((-2, -1)) for w in weights))
