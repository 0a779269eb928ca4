"""Curves of estimated against true information: of images, once compressed, and of the numbers they were drawn from."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import NamedTuple

import pandas as pd
from torch import Tensor

from lib.core import checks
from lib.core.processes import each
from lib.core.progress import bar
from lib.data.images import IMAGES
from lib.estimators.compress import autoencoder, pca
from lib.estimators.entropy import mi_wkl

PARAMETERS = {"gaussian": 2, "rectangles": 4, "slanted_gaussian": 5}  # numbers that an image is drawn from
FITTED_APART = 1_000_000  # seeds of the rows that codes are fitted on


class Budget(NamedTuple):
    """How much is drawn and fitted."""

    n: int  # pairs that are measured
    fitted: int  # images that codes are fitted on, none of them measured
    size: int  # of an image, in pixels a side
    k: int  # neighbours of the estimator
    steps: int  # of the autoencoder
    kind: str = "perceptron"  # of the autoencoder


def curves(
    families: list[str], truths: list[float], *, seeds: list[int], budget: Budget, workers: int | None = None
) -> pd.DataFrame:
    """Return a row (family, code, seed, truth, mi; nats) for each code of every pair: parameters, pca or autoencoder.

    The estimator whitens, as the paper's does; "parameters, scaled" are those it sees with columns of spread 1 instead.

    A seed is a draw: its pairs at different truths come from the same normals, so that its curve shows the estimate and
    not the draw. Codes have as many columns as an image has parameters.
    """
    for family in families:
        checks.known(family, IMAGES, "family of images")
    todo = list(product(families, seeds))
    found = bar(each(partial(curve, truths, budget), todo, workers=workers), "curves", total=len(todo))
    return pd.DataFrame([row for rows in found for row in rows])


def curve(truths: list[float], budget: Budget, asked: tuple[str, int]) -> list[dict]:
    """Return the rows of one family and seed."""
    family, seed = asked
    codes, rows = fit(family, seed, budget), []
    for truth in truths:
        pair = IMAGES[family](budget.n, mi=truth, size=budget.size, seed=seed)
        known = [pair.truth[f"{side}_parameters"] for side in "xy"]
        sides = {"parameters": known} | {name: [code(pair.x), code(pair.y)] for name, code in codes.items()}
        where = {"family": family, "seed": seed, "truth": float(truth)}
        rows += [where | {"code": name, "mi": mi_wkl(*z, k=budget.k, whiten=True).item()} for name, z in sides.items()]
        rows.append(where | {"code": "parameters, scaled", "mi": mi_wkl(*known, k=budget.k).item()})
    return rows


def fit(family: str, seed: int, budget: Budget) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return the codes of a family, fitted on images of their own.

    Both sides of a pair have the same law, whatever they share, so one code serves both and every truth.
    """
    images = IMAGES[family](budget.fitted, mi=0.0, size=budget.size, seed=FITTED_APART + seed).x
    dim = PARAMETERS[family]
    net = autoencoder(images, dim, seed=seed, kind=budget.kind, steps=budget.steps)
    return {"pca": pca(images, dim), "autoencoder": net}
