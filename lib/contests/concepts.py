"""Concept bottlenecks against each other and against concepts that mean nothing: the same embeddings, one table."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import torch
from torch import Tensor

from lib.concepts import agreement, capacity, leakage, posthoc
from lib.concepts.bottleneck import ConceptModel, accuracy, explain
from lib.contests.concept_methods import BANKS, FEW, FULL, METHODS, Budget, Case, case
from lib.contests.side_by_side import Tables, together
from lib.data.embeddings import Embedded
from lib.types import Rows

Source = Callable[[int], Embedded]
Models = dict[str, ConceptModel]
IMPURE = ("impurity", "leakage", "weakness")
AREAS = ("area", "wrong_area", "cleared_area")
LED = ("existence_1", "existence_3", "chance", *AREAS, "importance_1", "importance_2", "importance_3")
WHERE = ("location_1", "location_3")
TOLD = (*IMPURE, *LED, *WHERE)
SHOTS = (1, 4, 16)
RUNGS = (1, 2, 3, 5)  # effective concepts
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
    rows = [{"seed": seed, "method": name} | judged(model, data, whole, ideal) for name, model in fitted.items()]
    tables = {"methods": rows, "levels": levels(own)}
    for name, found in more(own, fitted).items() if more else ():
        tables[name] = tables.get(name, []) + found
    return tables


def judged(model: ConceptModel, data: Embedded, whole: float, ideal: Tensor) -> dict[str, float]:
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
    return found | (told(model, data, ideal) if known else dict.fromkeys(TOLD, float("nan")))


def told(model: ConceptModel, data: Embedded, ideal: Tensor) -> dict[str, float]:
    """Return what is known of a model whose concepts have a truth: impurity, existence, importance, place, interventions."""
    importance = explain(model, data.test.x).contributions
    return impure(model, data, ideal) | led(model, data, importance) | located(model, data, importance)


def oracle(data: Embedded) -> Tensor:
    """Return what true concepts tell of each other, which impurity is measured from."""
    return leakage.ideal_reading(data.train_truth[: len(data.train.x) // READ], data.test_truth)


def impure(model: ConceptModel, data: Embedded, ideal: Tensor) -> dict[str, float]:
    """Return the oracle impurity and its two parts, read on the first training images."""
    some, (x, truth) = len(data.train.x) // READ, (data.test.x, data.test_truth)
    own = model.score(data.train.x[:some])
    found = leakage.oracle_impurity(own, data.train_truth[:some], model.score(x), truth, ideal=ideal)
    return dict(zip(IMPURE, (found.score, found.leakage, found.weakness), strict=True))


def led(model: ConceptModel, data: Embedded, importance: Tensor) -> dict[str, float]:
    """Return whether leading concepts exist, what setting them right and wrong does, and how weights follow presence.

    Concepts are set each by itself, as published, and right once more where one that is there clears those that it excludes.
    Importance is the mean correlation over classes (CGIM, centred) of weights, of mean scores, and of both, with presence.
    """
    first, third = (agreement.concept_existence(importance, data.test_truth, most=m) for m in (1, 3))
    told = ((data.test_truth, None), (1 - data.test_truth, None), (data.test_truth, data.rivals))
    areas = [
        capacity.intervention_curve(model, data.test, truth, policy="effect", rivals=rivals).area for truth, rivals in told
    ]
    classes, y = len(model.bias), data.test.y
    mean = agreement.class_mean(model.score(data.test.x), y, torch.ones_like(y, dtype=torch.bool), classes)
    share = agreement.presence(data.test_truth, y, classes)
    follows = agreement.concept_global_importance(model.weights, mean, share, centred=True).nanmean(1).tolist()
    return dict(zip(LED, (first.value, third.value, first.chance, *areas, *follows), strict=True))


def located(model: ConceptModel, data: Embedded, importance: Tensor) -> dict[str, float]:
    """Return how often a leading concept of three lies in the twelfth, and in the quarter, where its map is greatest.

    A map is drawn with the slope of the score by the embedding, which is the concept's vector where scores are linear.
    """
    if data.places is None:
        return dict.fromkeys(WHERE, float("nan"))
    tokens, where, size = data.places
    top = agreement.ranked(importance, 3)
    rows, vectors = torch.arange(len(top))[:, None], slopes(model, data.train.x)[top]
    maps = agreement.activation_maps(tokens.flatten(1, 2), vectors, grid=tokens.shape[1:3], size=size)
    led_by, place = importance[rows, top], where[rows, top]
    found = [agreement.concept_location(maps, led_by, place, most=3, twelfths=t).value for t in (1, 3)]
    return dict(zip(WHERE, found, strict=True))


def slopes(model: ConceptModel, x: Tensor) -> Tensor:
    """Return the least-squares slope of each score by the embedding, (L, d)."""
    u = model.score(x)
    return torch.linalg.lstsq(x.double() - x.mean(0), u - u.mean(0), driver="gelsd").solution.T


def levels(case: Case) -> list[dict]:
    """Return accuracies at 1, 2, 3 and 5 effective concepts of heads on concepts that mean something and that do not."""
    rows = []
    for name in BANKS:
        found = capacity.at_effective(case.path(name), case.data.train, case.data.test, levels=RUNGS)
        rows += [{"seed": case.seed, "concepts": name} | level._asdict() for level in found]
    return rows


def shots(own: Case, fitted: Models) -> Tables:
    """Return test accuracies of learning from 1, 4 and 16 images of each class, the same for all methods; 0 says all.

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
