"""How badly a prediction misses, for each stacked member."""

import torch
import torch.nn.functional as F
from torch import Tensor


def miss(prediction: Tensor, y: Tensor) -> Tensor:
    """Return the mean squared error to targets (..., n, dy), or the cross-entropy in nats to labels (..., n); -> (...)."""
    if y.is_floating_point():
        return (prediction - y).square().mean((-2, -1))
    return -prediction.log_softmax(-1).gather(-1, y[..., None]).mean((-2, -1))


def as_matrix(y: Tensor, classes: int) -> Tensor:
    """Return targets as they are, and labels (..., n) as one-hot rows (..., n, classes)."""
    return y if y.is_floating_point() else F.one_hot(y, classes).to(torch.get_default_dtype())
