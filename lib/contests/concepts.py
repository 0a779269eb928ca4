"""Concept bottlenecks against each other and against concepts that mean nothing: the same embeddings, one table."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import torch

from lib.concepts import agreement, capacity, labo, leakage, posthoc, sparse
from lib.concepts.baselines import linear_probe, random_vectors, random_words, zero_shot
from lib.concepts.bottleneck import ConceptModel, accuracy, explain, standardised
from lib.concepts.discover import discovered, learn
from lib.contests.side_by_side import Tables, together
from lib.data.embeddings import Embedded
from lib.types import Rows, Words

Source = Callable[[int], Embedded]
Method = Callable[[Embedded, int], ConceptModel]
TOLD = ("impurity", "leakage", "weakness", "existence_1", "existence_3", "chance", "area", "wrong_area")
SHOTS = (1, 2, 4, 8, 16)


def measure(seeds: list[int], source: Source, *, workers: int | None = None) -> dict[str, pd.DataFrame]:
    """Return tables `methods` (a row a method and seed), `levels` (accuracy by effective concepts) and `shots`."""
    return together(partial(unit, source), seeds, workers=workers)


def unit(source: Source, seed: int) -> Tables:
    """Fit and measure every method on the data set of one seed."""
    data = source(seed)
    fitted = {name: method(data, seed) for name, method in METHODS.items()}
    whole = accuracy(fitted["linear probe"], data.test.x, data.test.y)
    rows = [{"seed": seed, "method": name} | judged(model, data, whole) for name, model in fitted.items()]
    return {"methods": rows, "levels": levels(data, seed), "shots": shots(data, seed)}


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
    """Return what is known of a model whose concepts have a truth: impurity, existence, and what interventions do."""
    impurity = leakage.oracle_impurity(model.score(data.train.x), data.train_truth, model.score(data.test.x), data.test_truth)
    importance = explain(model, data.test.x).contributions
    first, third = (agreement.concept_existence(importance, data.test_truth, most=m) for m in (1, 3))
    right, wrong = (
        capacity.intervention_curve(model, data.test, truth, policy="effect").area
        for truth in (data.test_truth, 1 - data.test_truth)
    )
    values = (impurity.score, impurity.leakage, impurity.weakness, first.value, third.value, first.chance, right, wrong)
    return dict(zip(TOLD, values, strict=True))


def levels(data: Embedded, seed: int) -> list[dict]:
    """Return accuracies at 5, 10, ..., 30 effective concepts of heads on concepts that mean something and that do not."""
    rows = []
    for name, made in BANKS.items():
        bank = made(data, seed)
        score = standardised(posthoc.projection(bank), data.train.x)
        found = capacity.at_effective(posthoc.head_path(data.train, score, bank.names), data.train, data.test)
        rows += [{"seed": seed, "concepts": name} | level._asdict() for level in found]
    return rows


def directions(data: Embedded, seed: int) -> posthoc.Directions:
    """Return concepts as directions, from 25 + 25 labelled images and as many held out."""
    return posthoc.activation_vectors(data.train.x, data.train_truth, data.concepts.names, side=25, seed=seed)


# As many concepts of four kinds: words, directions from labels, words of no meaning, and no words at all.
BANKS: dict[str, Callable[[Embedded, int], Words | posthoc.Directions]] = {
    "words": lambda data, seed: data.concepts,
    "directions": directions,
    "random words": lambda data, seed: random_words(data.vocabulary, len(data.concepts.names), seed=seed),
    "random vectors": lambda data, seed: random_vectors(*data.concepts.vectors.shape, seed=seed),
}


def on(kind: str) -> Method:
    """Return a sparse head on one of the banks."""
    return lambda data, seed: posthoc.pcbm(data.train, data.valid, BANKS[kind](data, seed))


def with_residual(data: Embedded, seed: int) -> ConceptModel:
    """Fit the words, and the residual that they leave."""
    return posthoc.hybrid(on("words")(data, seed), data.train)


def in_a_bottle(
    data: Embedded, seed: int, *, k: int = 2, alpha: float = 1.0, beta: float = 1.0, prior: bool = True
) -> ConceptModel:
    """Choose k concepts for each class among all, and learn their shares; the choice enters by where learning starts."""
    owners = chosen(data, k=k, alpha=alpha, beta=beta)
    return labo.labo(data.train, data.valid, data.concepts, owners=owners, prior=prior)


def chosen(data: Embedded, *, k: int, alpha: float, beta: float) -> dict[int, list[int]]:
    """Return for each class the k concepts of the greatest worth and coverage among the half that is likest to its images."""
    similarity = labo.class_similarity(data.train.x, data.train.y, data.concepts.vectors).clamp_min(1e-6)
    half = similarity.argsort(dim=0, descending=True, stable=True)[: max(k, len(similarity) // 2)]
    offered = {y: half[:, y].tolist() for y in range(similarity.shape[1])}
    return labo.select(offered, data.concepts.vectors, similarity, k=k, alpha=alpha, beta=beta)


def gated(kind: str) -> Method:
    """Return a sparse bottleneck of one kind."""
    return lambda data, seed: sparse.sparse_cbm(data.train, data.concepts, kind=kind, seed=seed)


def searched(centre: bool) -> Method:
    """Return Concept Matrix Search."""
    return lambda data, seed: sparse.concept_matrix_search(data.classes, data.concepts, data.train.x, centre=centre)


def found_and_named(data: Embedded, seed: int) -> ConceptModel:
    """Discover twice as many units as coordinates without labels, and name them by concepts and vocabulary together."""
    both = Words([*data.concepts.names, *data.vocabulary.names], torch.cat([data.concepts.vectors, data.vocabulary.vectors]))
    units = 2 * data.train.x.shape[1]
    return discovered(data.train, data.valid, learn(data.train.x, units=units, prices=[0.3], seeds=[seed], steps=600), 0, both)


METHODS: dict[str, Method] = {
    "linear probe": lambda data, seed: linear_probe(data.train, data.valid),
    "zero-shot": lambda data, seed: zero_shot(data.classes, data.train.x),
    "random words": on("random words"),
    "random vectors": on("random vectors"),
    "LaBo": in_a_bottle,
    "PCBM words": on("words"),
    "PCBM directions": on("directions"),
    "PCBM-h": with_residual,
    **{f"SparseCBM {kind}": gated(kind) for kind in sparse.KINDS},
    "CMS": searched(centre=False),
    "CMS centred": searched(centre=True),
    "discover, then name": found_and_named,
}

FEW: dict[str, Method] = {
    "linear probe": METHODS["linear probe"],
    "LaBo": in_a_bottle,
    "LaBo, no worth": partial(in_a_bottle, alpha=0.0),
    "LaBo, no coverage": partial(in_a_bottle, beta=0.0),
    "LaBo, no prior": partial(in_a_bottle, prior=False),
    "random words": METHODS["random words"],
}


def shots(data: Embedded, seed: int) -> list[dict]:
    """Return test accuracies of learning from 1, 2, ..., 16 images of each class, the same for all methods; 0 says all."""
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
