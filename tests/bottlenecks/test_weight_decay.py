"""The price of weight decay against the weights."""

import torch

from lib.bottlenecks import BOTTLENECKS


def test_weight_decay_charges_half_the_squares_of_all_weights_but_the_last_layers(model, rows):
    charged = [
        w for name, w in model.named_parameters() if name.endswith("weight") and not name.startswith(("output", "logvar"))
    ]
    price = BOTTLENECKS["weight_decay"](model, *rows).price
    torch.testing.assert_close(price, 0.5 * sum(w.flatten(1).norm(dim=1).square() for w in charged))
    price.sum().backward()
    assert len(charged) == 3 and all(torch.equal(w.grad, w) for w in charged)
    assert all(p.grad is None for p in model.parameters() if not any(p is w for w in charged))
