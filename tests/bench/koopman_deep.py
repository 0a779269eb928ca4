"""What the information terms of a Koopman autoencoder add to a training step of the same network without them."""

from collections.abc import Callable

import torch

from lib.koopman.autoencoder import Autoencoder, Recipe, information_ae_terms
from tests.bench.harness import compare, cpu_seconds, exponent

ALL = Recipe(alpha=2.0, beta=1.0, gamma=0.1, scale=0.1)
SIZES = (32, 64, 128, 256, 512)
SIDE = 2 * 64 * 64


DENSE = {"hidden": [256], "decoder": [256], "activation": "relu"}
FIELDS = {"fields": (2, 64, 64), "channels": (16, 32, 64, 128), "hidden": [], "decoder": [], "activation": "relu"}


def step(code: int, recipe: Recipe, shape: dict = DENSE) -> Callable[[], None]:
    """Return a training step on 16 windows of 16 frames of two fields of 64 x 64."""
    model = Autoencoder([0], SIDE, shape | {"code": code})
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    x = torch.randn(1, 16, 16, SIDE, generator=torch.Generator().manual_seed(0))

    def work() -> None:
        terms = information_ae_terms(model, x, x[:, :, 1:, :0], x, recipe=recipe)
        optimizer.zero_grad()
        (terms.fit + terms.price).sum().backward()
        optimizer.step()

    return work


def growth() -> list[dict]:
    """Return how a step with all terms grows with the code."""
    seconds = cpu_seconds(*(step(size, ALL) for size in SIZES), repeats=3)
    return [{"name": "koopman_terms", "sizes": list(SIZES), "seconds": seconds, "exponent": exponent(list(SIZES), seconds)}]


def rows() -> list[dict]:
    """Compare a step with contrast, consistency, entropy and scale with one of reconstruction and prediction alone."""
    where = "16 windows of 16 frames, 8192-256-{}-256-8192"
    dense = [
        compare(
            "koopman_terms", where.format(size) + f", entropy {entropy}", "the same step without the terms", 0.8,
            step(size, ALL._replace(entropy=entropy)), step(size, Recipe()), repeats=7,
        )
        for size in SIZES
        for entropy in ("mixed", "order2")
    ]  # fmt: skip
    where = "16 windows of 16 frames of 2 x 64 x 64, convolutions 16-32-64-128, code of {}, entropy mixed"
    return dense + [
        compare(
            "koopman_terms", where.format(size), "the same step without the terms", 0.8,
            step(size, ALL, FIELDS), step(size, Recipe(), FIELDS), repeats=3,
        )
        for size in (32, 512)
    ]  # fmt: skip
