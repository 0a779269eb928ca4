"""The concept methods of the contest, by name: what each is fitted with, where sources leave it open."""

from collections.abc import Callable
from functools import partial

import torch

from lib.concepts import labo, posthoc, sparse
from lib.concepts.baselines import linear_probe, random_vectors, random_words, zero_shot
from lib.concepts.bottleneck import ConceptModel
from lib.concepts.discover import Dictionary, discovered, learn
from lib.data.embeddings import Embedded
from lib.types import Words

Method = Callable[[Embedded, int], ConceptModel]
PATH = 24  # penalties of a sparse head: they end at a fiftieth of the one that leaves no weight


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


def on(kind: str) -> Method:
    """Return a sparse head on one of the banks."""
    return lambda data, seed: posthoc.pcbm(data.train, data.valid, BANKS[kind](data, seed), count=PATH)


def with_residual(data: Embedded, seed: int) -> ConceptModel:
    """Fit the words, and the residual that they leave."""
    return posthoc.hybrid(on("words")(data, seed), data.train)


def in_a_bottle(
    data: Embedded, seed: int, *, k: int = 2, alpha: float = 1.0, beta: float = 1.0, prior: bool = True
) -> ConceptModel:
    """Choose k concepts for each class among all, and learn their shares; the choice enters by where learning starts."""
    owners = chosen(data, k=k, alpha=alpha, beta=beta)
    return labo.labo(data.train, data.valid, data.concepts, owners=owners, epochs=150, prior=prior)


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


def dictionary(data: Embedded, seed: int) -> tuple[Dictionary, Words]:
    """Discover twice as many units as coordinates without labels; return them with all words that may name them."""
    both = Words([*data.concepts.names, *data.vocabulary.names], torch.cat([data.concepts.vectors, data.vocabulary.vectors]))
    steps = 3 * len(data.train.x) // 4  # of 256 rows: 192 passes
    return learn(data.train.x, units=2 * data.train.x.shape[1], prices=[0.3], seeds=[seed], steps=steps), both


def found_and_named(data: Embedded, seed: int) -> ConceptModel:
    """Return a head on units that were discovered, and named by concepts and vocabulary together."""
    found, both = dictionary(data, seed)
    return discovered(data.train, data.valid, found, 0, both, count=PATH)


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
