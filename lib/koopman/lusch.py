"""Autoencoders whose frequencies depend on where the orbit is: a small network reads them off the radius of each pair."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lib.core.types import Terms
from lib.koopman.autoencoder import OWN_STREAM, missed, windows
from lib.koopman.operators import spectral
from lib.nets.stacked import Bottleneck, Linears


class Balance(NamedTuple):
    """The weights of the objective; those published for the pendulum."""

    frames: float = 0.001  # of reconstruction and prediction
    worst: float = 1e-9  # of the largest errors
    decay: float = 1e-14  # of the squares of all weights


class LuschNet(Bottleneck):
    """R autoencoders with `pairs` complex pairs and `reals` real eigenvalues, each read off by a network of `auxiliary` widths.

    A pair turns by w and grows by e^m over `dt`, (m, w) functions of its squared radius; a real coordinate grows by e^m, m a
    function of itself. Source: [lusch2018deep].
    """

    def __init__(self, seeds: Sequence[int], inputs: int, shape: dict) -> None:
        shape = {"pairs": 1, "reals": 0, "auxiliary": [], "dt": 1.0} | shape
        self.pairs, self.reals, size = shape["pairs"], shape["reals"], 2 * shape["pairs"] + shape["reals"]
        if shape.setdefault("code", size) != size or not size:
            raise ValueError(
                f"{self.pairs} pairs and {self.reals} real eigenvalues make {size} units, got code {shape['code']}"
            )
        super().__init__(seeds, inputs, inputs, shape)
        self.dt = shape["dt"]
        own = [torch.Generator().manual_seed(int(seed) + OWN_STREAM) for seed in seeds]
        outputs = [2] * self.pairs + [1] * self.reals
        self.auxiliary = nn.ModuleList(
            nn.ModuleList(Linears(a, b, own, 1.0) for a, b in pairwise([1, *shape["auxiliary"], out])) for out in outputs
        )

    def rates(self, chain: nn.ModuleList, of: Tensor) -> Tensor:
        """Return the rates a network reads off (R, n, 1)."""
        for layer in chain[:-1]:
            of = torch.relu(layer(of))
        return chain[-1](of)

    def led(self, z: Tensor) -> Tensor:
        """Return the code one step later, (R, n, d)."""
        parts = []
        for i, chain in enumerate(self.auxiliary[: self.pairs]):
            pair = z[..., 2 * i : 2 * i + 2]
            rates = self.dt * self.rates(chain, pair.square().sum(-1, keepdim=True))
            k = spectral(rates.reshape(-1, 2, 1)).view(*z.shape[:2], 2, 2)
            parts.append((pair[..., None, :] @ k)[..., 0, :])
        for i, chain in enumerate(self.auxiliary[self.pairs :], 2 * self.pairs):
            parts.append(z[..., i : i + 1] * (self.dt * self.rates(chain, z[..., i : i + 1])).exp())
        return torch.cat(parts, -1)


def lusch_terms(model: LuschNet, x: Tensor, y: Tensor, noise: Tensor, *, balance: Balance, reach: int = 30) -> Terms:
    r"""Return a1 (rec + mean_{j <= reach} pred_j) + mean_j |phi(x_{1+j}) - K^j phi(x_1)|^2, and a2 (largest errors) + a3 |W|^2.

    x: (R, B, T, n) -> terms (R,). Only the first frame is decoded from its own code. `y` and `noise` are not used.
    Source: [lusch2018deep].
    """
    windows(x)
    z = model.mean(x.flatten(1, 2)).unflatten(1, x.shape[1:3])
    path = [z[:, :, 0]]
    for _ in range(x.shape[2] - 1):
        path.append(model.led(path[-1]))
    led = torch.stack(path, 2)
    reach = min(reach, x.shape[2] - 1)
    found = model.decode(led[:, :, : reach + 1].flatten(1, 2)).unflatten(1, (x.shape[1], reach + 1))
    error = found - x[:, :, : reach + 1]
    watch = {
        "reconstruction": error[:, :, 0].square().mean((1, 2)),
        "prediction": missed(found[:, :, 1:], x[:, :, 1 : reach + 1], "mean"),
        "linearity": (led[:, :, 1:] - z[:, :, 1:]).square().mean((1, 2, 3)),
        "worst": error[:, :, :2].abs().amax((1, 3)).sum(1),
        "decay": sum(w.square().sum((1, 2)) for name, w in model.named_parameters() if name.endswith("weight")),
    }
    return Terms(
        balance.frames * (watch["reconstruction"] + watch["prediction"]) + watch["linearity"],
        balance.worst * watch["worst"] + balance.decay * watch["decay"],
        {name: value.detach() for name, value in watch.items()} | {"code": z.detach(), "forecast": found[:, :, 1:].detach()},
    )
