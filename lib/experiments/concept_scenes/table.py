"""Concept bottlenecks against each other and against concepts that mean nothing: the same embeddings, one table."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import torch
from torch import Tensor

from lib.concepts import capacity, leakage, posthoc
from lib.concepts.bottleneck import ConceptModel, accuracy
from lib.concepts.meaning import agrees
from lib.concepts.methods import FEW, FULL, METHODS, PATHS, Budget, Case, case
from lib.core.types import Rows
from lib.data.embeddings import Embedded
from lib.experiments.tables import Tables, together

Source = Callable[[int], Embedded]
Models = dict[str, ConceptModel]
IMPURE = ("impurity", "leakage", "weakness")
AREAS = ("area", "wrong_area", "cleared_area")
TOLD = (*IMPURE, *AREAS)
SHOTS = (1, 2, 4, 8, 16)
RUNGS = (1, 2, 3, *capacity.LEVELS)  # effective concepts
READ = 4  # impurity is learnt from one training image in so many


def measure(
    seeds: list[int], source: Source, *, more: Callable[[Case, Models], Tables] | None = None, budget: Budget = FULL,
    workers: int | None = None,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    """Return tables `methods` (a row a method and seed), `levels` (accuracy by effective concepts), and what `more` adds.

    more: gets each seed's case and its fitted models, so that what they have learnt serves its tables too.
    """
    return together(partial(unit, source, more, budget), seeds, workers=workers)


def unit(source: Source, more: Callable[[Case, Models], Tables] | None, budget: Budget, seed: int) -> Tables:
    """Fit and measure every method on the data set of one seed."""
    own = case(source(seed), seed, budget)
    data, fitted = own.data, {name: method(own) for name, method in METHODS.items()}
    whole, ideal = accuracy(fitted["linear probe"], data.test.x, data.test.y), oracle(data)
    rows = [{"seed": seed, "method": name} | judged(name, model, data, whole, ideal) for name, model in fitted.items()]
    tables = {"methods": rows, "levels": levels(own, fitted)}
    for name, found in more(own, fitted).items() if more else ():
        tables[name] = tables.get(name, []) + found
    return tables


def judged(name: str, model: ConceptModel, data: Embedded, whole: float, ideal: Tensor) -> dict[str, float]:
    """Return accuracy, capacity and agreement of one model; what needs true concepts is NaN for a model of others."""
    x, y = data.test
    right, (joint, most) = accuracy(model, x, y), capacity.code_nats(model, x)
    found = {
        "accuracy": right,
        "valid_accuracy": accuracy(model, *data.valid),
        "concepts": len(model.concepts),
        "effective": posthoc.effective(model.weights).item(),
        "contributing": capacity.contributing(model, x),
        "nats": joint,
        "most_nats": most,
        "completeness": capacity.completeness(right, whole, y),
        "faithful": posthoc.agreement(model, x),
    }
    known = model.concepts == list(data.concepts.names)
    truths = impure(model, data, ideal) | set_right(model, data) if known else dict.fromkeys(TOLD, float("nan"))
    return found | truths | agrees(name, model, data)


def oracle(data: Embedded) -> Tensor:
    """Return what true concepts tell of each other, which impurity is measured from."""
    return leakage.ideal_reading(data.train_truth[: len(data.train.x) // READ], data.test_truth)


def impure(model: ConceptModel, data: Embedded, ideal: Tensor) -> dict[str, float]:
    """Return the oracle impurity and its two parts, read on the first training images."""
    some, (x, truth) = len(data.train.x) // READ, (data.test.x, data.test_truth)
    own = model.score(data.train.x[:some])
    found = leakage.oracle_impurity(own, data.train_truth[:some], model.score(x), truth, ideal=ideal)
    return dict(zip(IMPURE, (found.score, found.leakage, found.weakness), strict=True))


def set_right(model: ConceptModel, data: Embedded) -> dict[str, float]:
    """Return the mean accuracy while concepts are set to what is true, to what is false, and true with rivals cleared."""
    told = ((data.test_truth, None), (1 - data.test_truth, None), (data.test_truth, data.rivals))
    areas = [
        capacity.intervention_curve(model, data.test, truth, policy="effect", rivals=rivals).area for truth, rivals in told
    ]
    return dict(zip(AREAS, areas, strict=True))


def levels(own: Case, fitted: Models) -> list[dict]:
    """Return test accuracies of every method at 1 to 30 effective concepts, of a head of its path or of its only one, cut."""
    rows, (train, test) = [], (own.data.train, own.data.test)
    for name, model in fitted.items():
        if name in PATHS:
            found = capacity.at_effective(PATHS[name](own), train, test, levels=RUNGS)
        else:
            found = capacity.cut(model, test, levels=RUNGS)
        rows += [{"seed": own.seed, "method": name} | level._asdict() for level in found]
    return rows


def shots(own: Case, fitted: Models) -> Tables:
    """Return test accuracies of learning from 1, 2, 4, 8 and 16 images of each class, the same for all methods; 0 says all.

    fitted: models that have learnt from all, which are not fitted again.
    """
    rows, (data, seed) = [], own[:2]
    for count in (*SHOTS, 0):
        part = case(data._replace(train=few(data.train, count, seed)), seed, own.budget) if count else own
        models = {} if count else fitted
        for name, method in FEW.items():
            right = accuracy(models[name] if name in models else method(part), *data.test)
            rows.append({"seed": seed, "method": name, "shots": count, "accuracy": right})
    return {"shots": rows}


def few(train: Rows, count: int, seed: int) -> Rows:
    """Return `count` rows of each class, drawn anew by each seed; a class with fewer gives all it has."""
    order = torch.randperm(len(train.y), generator=torch.Generator().manual_seed(seed))
    own = torch.cat([order[train.y[order] == k][:count] for k in train.y.unique()])
    return Rows(train.x[own], train.y[own])


def add_levels(methods: pd.DataFrame, levels: pd.DataFrame, *, level: int) -> pd.DataFrame:
    """Return `methods` with what each comes to at few effective concepts, by the rows of `levels`.

    five: accuracy at `level` of them; thirty: mean over capacity.LEVELS, 5 to 30; reached: how many of these it has.
    """
    same = ["rho", "seed", "method"]
    low = levels[levels.level == level].rename(columns={"accuracy": "five"})
    rungs = levels[levels.level.isin(capacity.LEVELS)].groupby(same)
    to_thirty = rungs.agg(thirty=("accuracy", "mean"), reached=("reached", "sum")).reset_index()
    return methods.merge(low[[*same, "five"]], how="left").merge(to_thirty, how="left")
