"""Networks of one activation on the 12-bit task: trained from many seeds with and without weight decay, measured over time."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.bottlenecks import plane, results
from lib.core import checks
from lib.core.plan import planned
from lib.core.processes import each
from lib.core.progress import bar
from lib.core.types import Rows, Split
from lib.data.synthetic import twelve_bit
from lib.nets.stacked import ACTIVATIONS
from lib.training import loop

SHARE = 0.8  # of the words are for training
HIDDEN, CODE = [10, 7, 5, 4], 3  # the last hidden layer is the code
# The value at which an activation is cut off, which adaptive bins keep apart. tanh and ELU only come close to theirs.
FLOOR = {"relu": 0.0, "softplus": 0.0}


class Networks(NamedTuple):
    """One batched program: every seed and beta of an activation under one kind of split."""

    activation: str
    order: str  # "shuffled", each seed by its own draw, or "counting": the words as they stand
    seeds: list[int]
    betas: list[float]  # weights of weight decay


def words(seeds: Sequence[int], order: str) -> Split:
    """Return the 12-bit task, bits as -1 and 1, the first 80 % of the words of each seed for training, the rest for testing.

    Validation rows are the test rows: weights are those of the last epoch, so that nothing is chosen by them. In counting
    order the label has probability .437 in training and .836 in testing.
    """
    checks.known(order, {"shuffled": 0, "counting": 0}, "order of words")
    task = twelve_bit()
    n, cut = len(task.y), round(SHARE * len(task.y))
    drawn = [torch.randperm(n, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    rows = drawn if order == "shuffled" else [torch.arange(n)] * len(seeds)
    x, y = (torch.stack([z[row] for row in rows]) for z in (2 * task.x - 1, task.y))
    test = Rows(x[:, cut:], y[:, cut:])
    return Split(Rows(x[:, :cut], y[:, :cut]), test, test)


def run(
    asked: Sequence[Networks], plan: dict, estimators: dict, *, accelerator: str, workers: int | None = None
) -> tuple[pd.DataFrame, ...]:
    """Return the planes and the scores of all networks, each set of them trained and measured by one worker process.

    accelerator: what Fabric trains on, "cpu" for the same bytes everywhere.

    planes: order, activation, seed, beta, epoch, layer, estimator, mi_xt, mi_ty (nats); layer 6 is the output's probabilities.
    scores: order, activation, seed, beta, and accuracy and cross-entropy (nats) in training and testing.
    """
    planned(plan)
    for networks in asked:
        checks.known(networks.activation, ACTIVATIONS, "activation")
    work = partial(measured, plan, estimators, accelerator)
    found = list(bar(each(work, asked, workers=workers), "activations", total=len(asked)))
    return tuple(pd.concat(tables, ignore_index=True) for tables in zip(*found, strict=True))


def measured(plan: dict, estimators: dict, accelerator: str, asked: Networks) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train one set of networks; return its planes and its scores."""
    fabric, task = loop.one_device(accelerator), twelve_bit()
    split = Split(*(Rows(*fabric.to_device(tuple(part))) for part in words(asked.seeds, asked.order)))
    method = networks(asked, task.x.shape[1])
    plan = planned(plan | {"select": "last", "snapshots": True})
    fitted = loop.fit(fabric, method.model, method.terms, split, plan, method.members)
    marks = [
        {"order": asked.order, "activation": asked.activation, "seed": s, "beta": b} for s in asked.seeds for b in asked.betas
    ]
    scores = pd.DataFrame([mark | said for mark, said in zip(marks, judged(method, split), strict=True)])
    floored = {name: options | floor_of(name, asked.activation) for name, options in estimators.items()}
    inputs, labels = fabric.to_device((2 * task.x - 1, task.y))
    rows = plane.layers(method.model, fitted.snapshots, fitted.epochs, inputs, labels, floored)
    return pd.DataFrame([marks[row.pop("member")] | row for row in rows]), scores


def networks(asked: Networks, inputs: int) -> results.Trained:
    """Return the untrained networks 12-10-7-5-4-3-2 of one activation."""
    shape = {"hidden": HIDDEN, "code": CODE, "activate_code": True, "activation": asked.activation}
    settings = {"betas": asked.betas}
    return results.build("weight_decay", settings, seeds=asked.seeds, inputs=inputs, outputs=2, shape=shape)


def floor_of(estimator: str, activation: str) -> dict:
    """Return the activation's floor for adaptive bins, nothing for other estimators."""
    return {"floor": FLOOR.get(activation)} if estimator == "binning_adaptive" else {}


def judged(method: results.Trained, split: Split) -> list[dict]:
    """Return accuracy and cross-entropy of every member on both parts."""
    columns: dict[str, list[float]] = {}
    for name, part in (("train", split.train), ("test", split.test)):
        terms = loop.predict(method.model, method.terms, part, method.members)
        columns[f"{name}_loss"] = terms.fit.tolist()
        columns[f"{name}_accuracy"] = accuracy(terms.watch["prediction"], part.y, len(method.members.betas)).tolist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def accuracy(logits: Tensor, labels: Tensor, betas: int) -> Tensor:
    """Return the share of right answers of every member, (S * betas, n, classes) and (S, n) -> (S * betas,)."""
    return (logits.argmax(-1) == labels.repeat_interleave(betas, 0)).double().mean(-1)


def compressions(planes: pd.DataFrame) -> pd.DataFrame:
    """Return the compression (max I - I_end) / max I of every layer of every network; rows: networks, columns: layers.

    planes: the table of `run`.
    """
    keys = ["order", "activation", "beta", "seed", "estimator"]
    courses = planes.pivot_table(index="epoch", columns=[*keys, "layer"], values="mi_xt", sort=False).sort_index()
    lost = plane.compression(torch.tensor(courses.to_numpy())).numpy()
    return pd.Series(lost, index=courses.columns).unstack("layer")
