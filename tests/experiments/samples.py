"""A network without training whose forecasts are known."""

import torch

from lib.koopman.autoencoder import Autoencoder
from lib.koopman.forecast import Settled
from lib.koopman.members import Trained


def by_hand(operator, size=2):
    """A network that hands its input on, float32."""
    model = Autoencoder([0], size, {"hidden": [], "code": size, "decoder": [], "activation": "tanh"})
    with torch.no_grad():
        for layer in (model.mean_head, model.output):
            layer.weight.copy_(torch.eye(size)), layer.bias.zero_()
    return Trained(Settled(model, operator[None], torch.tensor([[[-1.0] * size, [1.0] * size]])), [], ["ok"])
