"""Concept bottlenecks against each other and against concepts that mean nothing: the same embeddings, one table."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import torch
from torch import Tensor

from lib.concepts import agreement, capacity, leakage, posthoc
from lib.concepts.bottleneck import ConceptModel, accuracy, explain, standardised
from lib.contests.concept_methods import BANKS, FEW, METHODS, PATH
from lib.contests.side_by_side import Tables, together
from lib.data.embeddings import Embedded
from lib.types import Rows

Source = Callable[[int], Embedded]
IMPURE = ("impurity", "leakage", "weakness")
LED = ("existence_1", "existence_3", "chance", "area", "wrong_area", "importance_1", "importance_2", "importance_3")
WHERE = ("location_1", "location_3")
TOLD = (*IMPURE, *LED, *WHERE)
SHOTS = (1, 4, 16)
RUNGS = (1, 2, 3, 5)  # effective concepts
READ = 4  # impurity is learnt from one training image in so many


def measure(seeds: list[int], source: Source, *, few_shots: bool = True, workers: int | None = None) -> dict[str, pd.DataFrame]:
    """Return tables `methods` (a row a method and seed), `levels` (accuracy by effective concepts) and, if wanted, `shots`."""
    return together(partial(unit, source, few_shots), seeds, workers=workers)


def unit(source: Source, few_shots: bool, seed: int) -> Tables:
    """Fit and measure every method on the data set of one seed."""
    data = source(seed)
    fitted = {name: method(data, seed) for name, method in METHODS.items()}
    whole = accuracy(fitted["linear probe"], data.test.x, data.test.y)
    rows = [{"seed": seed, "method": name} | judged(model, data, whole) for name, model in fitted.items()]
    return {"methods": rows, "levels": levels(data, seed)} | ({"shots": shots(data, seed)} if few_shots else {})


def judged(model: ConceptModel, data: Embedded, whole: float) -> dict[str, float]:
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
    return found | (told(model, data) if model.concepts == list(data.concepts.names) else dict.fromkeys(TOLD, float("nan")))


def told(model: ConceptModel, data: Embedded) -> dict[str, float]:
    """Return what is known of a model whose concepts have a truth: impurity, existence, importance, place, interventions."""
    importance = explain(model, data.test.x).contributions
    return impure(model, data) | led(model, data, importance) | located(model, data, importance)


def impure(model: ConceptModel, data: Embedded) -> dict[str, float]:
    """Return the oracle impurity and its two parts, read on the first training images."""
    some = len(data.train.x) // READ
    own, truth = data.train.x[:some], data.train_truth[:some]
    found = leakage.oracle_impurity(model.score(own), truth, model.score(data.test.x), data.test_truth)
    return dict(zip(IMPURE, (found.score, found.leakage, found.weakness), strict=True))


def led(model: ConceptModel, data: Embedded, importance: Tensor) -> dict[str, float]:
    """Return whether leading concepts exist, what setting them right and wrong does, and how weights follow presence.

    Importance is the mean correlation over classes (CGIM, centred) of weights, of mean scores, and of both, with presence.
    """
    first, third = (agreement.concept_existence(importance, data.test_truth, most=m) for m in (1, 3))
    right, wrong = (
        capacity.intervention_curve(model, data.test, truth, policy="effect").area
        for truth in (data.test_truth, 1 - data.test_truth)
    )
    classes, y = len(model.bias), data.test.y
    mean = agreement.class_mean(model.score(data.test.x), y, torch.ones_like(y, dtype=torch.bool), classes)
    share = agreement.presence(data.test_truth, y, classes)
    follows = agreement.concept_global_importance(model.weights, mean, share, centred=True).nanmean(1).tolist()
    return dict(zip(LED, (first.value, third.value, first.chance, right, wrong, *follows), strict=True))


def located(model: ConceptModel, data: Embedded, importance: Tensor) -> dict[str, float]:
    """Return how often a leading concept of three lies in the twelfth, and in the quarter, where its map is greatest.

    A map is drawn with the slope of the score by the embedding, which is the concept's vector where scores are linear.
    """
    if data.places is None:
        return dict.fromkeys(WHERE, float("nan"))
    tokens, where, size = data.places
    maps = agreement.activation_maps(tokens.flatten(1, 2), slopes(model, data.train.x), grid=tokens.shape[1:3], size=size)
    found = [agreement.concept_location(maps, importance, where, most=3, twelfths=t).value for t in (1, 3)]
    return dict(zip(WHERE, found, strict=True))


def slopes(model: ConceptModel, x: Tensor) -> Tensor:
    """Return the least-squares slope of each score by the embedding, (L, d)."""
    u = model.score(x)
    return torch.linalg.lstsq(x.double() - x.mean(0), u - u.mean(0), driver="gelsd").solution.T


def levels(data: Embedded, seed: int) -> list[dict]:
    """Return accuracies at 1, 2, 3 and 5 effective concepts of heads on concepts that mean something and that do not."""
    rows = []
    for name, made in BANKS.items():
        bank = made(data, seed)
        score = standardised(posthoc.projection(bank), data.train.x)
        found = capacity.at_effective(
            posthoc.head_path(data.train, score, bank.names, count=PATH), data.train, data.test, levels=RUNGS
        )
        rows += [{"seed": seed, "concepts": name} | level._asdict() for level in found]
    return rows


def shots(data: Embedded, seed: int) -> list[dict]:
    """Return test accuracies of learning from 1, 4 and 16 images of each class, the same for all methods; 0 says all."""
    rows = []
    for count in (*SHOTS, 0):
        part = data if count == 0 else data._replace(train=few(data.train, count, seed))
        rows += [
            {"seed": seed, "method": name, "shots": count, "accuracy": accuracy(method(part, seed), *data.test)}
            for name, method in FEW.items()
        ]
    return rows


def few(train: Rows, count: int, seed: int) -> Rows:
    """Return `count` rows of each class, drawn anew by each seed; a class with fewer gives all it has."""
    order = torch.randperm(len(train.y), generator=torch.Generator().manual_seed(seed))
    own = torch.cat([order[train.y[order] == k][:count] for k in train.y.unique()])
    return Rows(train.x[own], train.y[own])
