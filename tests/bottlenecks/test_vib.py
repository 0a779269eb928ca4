"""The price of VIB against torch's divergence."""

import torch
from torch.distributions import Normal, kl_divergence

from lib.bottlenecks import BOTTLENECKS


def test_vib_charges_the_divergence_from_the_standard_normal(model, rows):
    mean, logvar = model.encode(rows[0])
    exact = kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(-1).mean(-1)
    torch.testing.assert_close(BOTTLENECKS["vib"](model, *rows).price, exact)
