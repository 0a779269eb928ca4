"""The concept methods that are compared, by name: what each is fitted with, where sources leave it open."""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch

from lib.concepts import labo, posthoc
from lib.concepts.baselines import linear_probe, random_vectors, random_words, zero_shot
from lib.concepts.bottleneck import ConceptModel, standardised, words
from lib.concepts.discover import Dictionary, learn, unit_path
from lib.concepts.sparse import KINDS, concept_matrix_search, side_by_side
from lib.core.digits import settled
from lib.core.types import Words
from lib.data.embeddings import Embedded


class Budget(NamedTuple):
    """How much is learnt."""

    path: int = 60  # penalties of a sparse head, over four orders of magnitude
    bottle: int = 600  # epochs of LaBo
    sparse: int = 120  # epochs of sparse bottlenecks
    passes: int = 192  # of a dictionary over the images, by batches of 256
    net: int = 8  # epochs of the network that learns from pictures alone
    alone: int = 400  # steps of an objective by itself


FULL = Budget()


class Case(NamedTuple):
    """One data set and one seed, and what several methods and tables learn alike: once, when first asked for."""

    data: Embedded
    seed: int
    path: Callable[[str], posthoc.Fitted]  # sparse heads on one of the banks
    dictionary: Callable[[], Dictionary]
    units: Callable[[], posthoc.Fitted]  # sparse heads on what the dictionary found
    gated: Callable[[], dict[str, ConceptModel]]  # a sparse bottleneck of each kind
    budget: Budget


Method = Callable[[Case], ConceptModel]


def case(data: Embedded, seed: int, budget: Budget = FULL) -> Case:
    """Return a data set with nothing learnt yet."""
    found = cache(partial(dictionary, data, seed, budget.passes))
    return Case(
        data,
        seed,
        path=cache(partial(path, data, seed, budget.path)),
        dictionary=found,
        units=cache(lambda: unit_path(data.train, found(), 0, names_of(data), count=budget.path)),
        gated=cache(partial(side_by_side, data.train, data.concepts, [*KINDS], epochs=budget.sparse, seed=seed)),
        budget=budget,
    )


def directions(data: Embedded, seed: int) -> posthoc.Directions:
    """Return concepts as directions, from 25 + 25 labelled images and as many held out, or all that the rarest side has."""
    there = data.train_truth.sum(0)
    side = max(1, min(25, int(torch.minimum(there, len(data.train_truth) - there).min()) // 2))
    return posthoc.activation_vectors(data.train.x, data.train_truth, data.concepts.names, side=side, seed=seed)


# As many concepts of four kinds: words, directions from labels, words of no meaning, and no words at all.
BANKS: dict[str, Callable[[Embedded, int], Words | posthoc.Directions]] = {
    "words": lambda data, seed: data.concepts,
    "directions": directions,
    "random words": lambda data, seed: random_words(data.vocabulary, len(data.concepts.names), seed=seed),
    "random vectors": lambda data, seed: random_vectors(*data.concepts.vectors.shape, seed=seed),
}


def path(data: Embedded, seed: int, count: int, kind: str) -> posthoc.Fitted:
    """Return sparse heads on standardised scores of one of the banks, as `posthoc.pcbm` fits them."""
    bank = BANKS[kind](data, seed)
    words(bank, "concepts", width=data.train.x.shape[1])
    return posthoc.head_path(data.train, standardised(posthoc.projection(bank), data.train.x), bank.names, count=count)


Heads = Callable[[Case], posthoc.Fitted]


def on(kind: str) -> Heads:
    """Return the sparse heads on one of the banks."""
    return lambda case: case.path(kind)


# Methods whose head validation chooses from a path.
PATHS: dict[str, Heads] = {
    "random words": on("random words"),
    "random vectors": on("random vectors"),
    "PCBM words": on("words"),
    "PCBM directions": on("directions"),
    "discover, then name": lambda case: case.units(),
}


def of_path(name: str) -> Method:
    """Return the head of a path that validation chooses."""
    return lambda case: posthoc.best(PATHS[name](case), case.data.train, case.data.valid)


def with_residual(case: Case) -> ConceptModel:
    """Fit the words, and the residual that they leave."""
    return posthoc.hybrid(of_path("PCBM words")(case), case.data.train)


def in_a_bottle(case: Case, *, k: int = 2, alpha: float = 1.0, beta: float = 1.0, prior: bool = True) -> ConceptModel:
    """Choose k concepts for each class among all, and learn their shares; the choice enters by where learning starts."""
    data = case.data
    owners = chosen(data, k=k, alpha=alpha, beta=beta)
    return labo.labo(data.train, data.valid, data.concepts, owners=owners, epochs=case.budget.bottle, prior=prior)


def chosen(data: Embedded, *, k: int, alpha: float, beta: float) -> dict[int, list[int]]:
    """Return for each class the k concepts of the greatest worth and coverage among the half that is likest to its images."""
    similarity = labo.class_similarity(data.train.x, data.train.y, data.concepts.vectors).clamp_min(1e-6)
    half = settled(similarity).argsort(dim=0, descending=True, stable=True)[: max(k, len(similarity) // 2)]
    offered = {y: half[:, y].tolist() for y in range(similarity.shape[1])}
    return labo.select(offered, data.concepts.vectors, similarity, k=k, alpha=alpha, beta=beta)


def gated(kind: str) -> Method:
    """Return a sparse bottleneck of one kind."""
    return lambda case: case.gated()[kind]


def searched(centre: bool) -> Method:
    """Return Concept Matrix Search."""
    return lambda case: concept_matrix_search(
        case.data.classes, case.data.concepts, case.data.train.x, centre=centre
    )  # fmt: skip


def dictionary(data: Embedded, seed: int, passes: int) -> Dictionary:
    """Discover twice as many units as coordinates, without labels."""
    steps = passes * len(data.train.x) // 256
    return learn(data.train.x, units=2 * data.train.x.shape[1], prices=[0.3], seeds=[seed], steps=steps)


def names_of(data: Embedded) -> Words:
    """Return all words that may name a unit: concepts and vocabulary."""
    return Words([*data.concepts.names, *data.vocabulary.names], torch.cat([data.concepts.vectors, data.vocabulary.vectors]))


METHODS: dict[str, Method] = {
    "linear probe": lambda case: linear_probe(case.data.train, case.data.valid),
    "zero-shot": lambda case: zero_shot(case.data.classes, case.data.train.x),
    "LaBo": in_a_bottle,
    **{name: of_path(name) for name in PATHS},
    "PCBM-h": with_residual,
    **{f"SparseCBM {kind}": gated(kind) for kind in KINDS},
    "CMS": searched(centre=False),
    "CMS centred": searched(centre=True),
}

FEW: dict[str, Method] = {
    "linear probe": METHODS["linear probe"],
    "LaBo": in_a_bottle,
    "LaBo, no worth": partial(in_a_bottle, alpha=0.0),
    "LaBo, no coverage": partial(in_a_bottle, beta=0.0),
    "LaBo, no prior": partial(in_a_bottle, prior=False),
    "random words": METHODS["random words"],
    "random vectors": METHODS["random vectors"],
}
