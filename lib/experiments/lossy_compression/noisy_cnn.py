"""A network with noise in training, and the information that its layers carry, measured after lossy compression."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from lib.core import checks
from lib.core.precision import usual
from lib.core.processes import each
from lib.core.progress import bar
from lib.core.types import Rows, Table
from lib.estimators.compress import autoencoder, pca
from lib.estimators.entropy import entropy_wkl, mi_wkl_labels
from lib.nets.stacked import StochasticCNN

LAYERS = ("conv 1", "conv 2", "conv 3", "dense", "output")
CODES = {"autoencoder": autoencoder, "pca": lambda x, dim, **_: pca(x, dim)}
NOISE_APART, CODE_APART = 1_000_000, 2_000_000  # seeds of the noise when measured, of the input's code


class Budget(NamedTuple):
    """How long networks train, and on how many rows they are measured."""

    steps: int
    batch: int
    lr: float
    every: int  # steps between records
    test: int  # rows that are held out and measured
    fitted: int  # training rows that layers' codes are fitted on and the loss is read from
    dim: int  # columns of a code
    k: int  # neighbours of the estimator
    code: str  # of the input, a name of CODES
    code_steps: int  # of the input's autoencoder
    sigma: float  # relative noise


def runs(table: Table, *, seeds: list[int], budget: Budget, workers: int | None = None) -> pd.DataFrame:
    """Return a row (seed, step, layer, mi_xt, mi_ty; nats, loss, accuracy) for every layer at every record of every seed.

    loss is the mean negative log-likelihood of the fitted training rows in nats, accuracy that of the test rows. Each seed
    draws its own split, first weights, batches, dropout and noise. Seeds train one by one, as convolutions of stacked networks
    were measured no faster on a CPU; so results do not depend on the number of workers.
    """
    if budget.test + budget.fitted > len(table.x):
        raise ValueError(f"test + fitted is {budget.test + budget.fitted}, but there are {len(table.x)} rows; measure fewer")
    if budget.steps % checks.counted(budget.every, "every"):
        raise ValueError(f"{budget.steps} steps are no multiple of the {budget.every} between records; give one")
    checks.known(budget.code, CODES, "code")
    alone = [[seed] for seed in seeds]
    found = bar(each(partial(trained, table, budget), alone, workers=workers), "networks", total=len(seeds))
    return pd.DataFrame([row for rows in found for row in rows])


def trained(table: Table, budget: Budget, seeds: list[int]) -> list[dict]:
    """Train the networks of some seeds side by side and return their records, that of the first weights among them."""
    train, test = parts(table, seeds, budget.test)
    model = StochasticCNN(seeds, classes=int(table.y.max()) + 1, side=round(table.x.shape[1] ** 0.5), sigma=budget.sigma)
    optimizer = torch.optim.Adam(model.parameters(), lr=budget.lr, fused=True)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    measure = meter(train, test, seeds, budget)
    rows = measure(model, 0)
    for step in range(1, budget.steps + 1):
        x, y = batch(train, generators, budget.batch)
        loss = F.nll_loss(model.train()(x, generators)[-1].flatten(0, 1), y.flatten(), reduction="sum") / budget.batch
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % budget.every == 0:
            rows += measure(model, step)
    return rows


def parts(table: Table, seeds: Sequence[int], test: int) -> tuple[Rows, Rows]:
    """Return training and test rows of every seed, x (R, n, d) and labels (R, n), split by the seed."""
    order = torch.stack([torch.randperm(len(table.x), generator=torch.Generator().manual_seed(seed)) for seed in seeds])
    return tuple(Rows(usual(table.x[rows]), table.y[rows]) for rows in (order[:, test:], order[:, :test]))


def batch(part: Rows, generators: Sequence[torch.Generator], size: int) -> tuple[Tensor, Tensor]:
    """Draw rows for every member by its own generator."""
    n = part.x.shape[1]
    rows = torch.stack([torch.randint(n, (size,), generator=g) for g in generators]).to(part.x.device)
    member = torch.arange(len(rows), device=rows.device)[:, None]
    return part.x[member, rows], part.y[member, rows]


def meter(train: Rows, test: Rows, seeds: Sequence[int], budget: Budget) -> Callable[[StochasticCNN, int], list[dict]]:
    """Return what takes the records of a model; the input's code and its entropy stay the same over training.

    Codes are fitted on training rows: the input's on all of them, a layer's on the first `fitted`, anew at every record.
    """
    codes = [
        CODES[budget.code](x, budget.dim, seed=CODE_APART + seed, steps=budget.code_steps)(rows)
        for x, rows, seed in zip(train.x, test.x, seeds, strict=True)
    ]
    entropy = partial(entropy_wkl, k=budget.k, whiten=True)  # as the paper's
    entropies = [entropy(code) for code in codes]
    known = Rows(train.x[:, : budget.fitted], train.y[:, : budget.fitted])

    @torch.no_grad()
    def measure(model: StochasticCNN, step: int) -> list[dict]:
        # The same noise at every record, so that curves move with the network alone.
        generators = [torch.Generator().manual_seed(NOISE_APART + seed) for seed in seeds]
        fitted, measured = (model.eval()(part.x, generators) for part in (known, test))
        loss = F.nll_loss(fitted[-1].transpose(1, 2), known.y, reduction="none").mean(1).tolist()
        right = (measured[-1].argmax(-1) == test.y).float().mean(1).tolist()
        rows = []
        for member, seed in enumerate(seeds):
            facts = {"seed": seed, "step": step, "loss": loss[member], "accuracy": right[member]}
            for layer, known_layer, test_layer in zip(LAYERS, fitted, measured, strict=True):
                t = pca(known_layer[member], budget.dim)(test_layer[member])
                mi_xt = entropies[member] + entropy(t) - entropy(torch.cat([codes[member], t], 1))
                mi_ty = mi_wkl_labels(t, test.y[member], k=budget.k, whiten=True)
                rows.append(facts | {"layer": layer, "mi_xt": mi_xt.item(), "mi_ty": mi_ty.item()})
        return rows

    return measure
