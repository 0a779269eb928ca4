"""Pictures through any CLIP, against the concepts that were published for their classes: heads on them, and on other words."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from lib import checks
from lib.concepts import capacity, clip, labo
from lib.concepts.bank import bank, named_classes
from lib.concepts.bottleneck import accuracy
from lib.contests.concept_methods import METHODS, Case, case
from lib.contests.side_by_side import Tables
from lib.data import concept_sets
from lib.data.cifar import Pictures
from lib.data.concept_sets import distinct
from lib.data.embeddings import Embedded
from lib.types import Rows, Words

SHARES = (0.6, 0.2)  # of pictures for training and validation; the rest is for testing
LEVELS = (5, 10)  # effective concepts
KINDS = ("words", "random words", "random vectors")  # without directions: their labels would be those of classes
COMPARED = ("linear probe", "zero-shot", "PCBM words", "PCBM-h", "random words", "random vectors")
CIFAR10 = ("label-free CIFAR-10", "VLG CIFAR-10", "LaBo CIFAR-10")
COLUMNS = ["set", "table", "seed", "method", "concepts", "level", "accuracy", "found", "reached"]
PROMPT = "a photo of a {}"


def chosen(said: Mapping[str, Sequence[str]], classes: Sequence[str], *, most: int) -> dict[str, set[str]]:
    """Return concept -> the classes it was written for, at most `most` of a class, without those that name a class.

    Errors: a class that nothing was written for, or of which nothing is left.
    """
    checks.counted(most, "most")
    if lacking := [name for name in classes if name not in said]:
        raise ValueError(f"nothing was written for {', '.join(lacking)}; the set has {', '.join(list(said)[:10])}")
    named, owners = named_classes([text for texts in said.values() for text in texts], classes), {}
    for name in classes:
        left = [text for text in distinct(list(said[name])) if text not in named][:most]
        if not left:
            raise ValueError(f"every sentence of {name!r} holds the name of a class; write others")
        for text in left:
            owners.setdefault(text.lower(), set()).add(name)
    return owners


def through(
    model: clip.Backbone,
    pictures: Pictures,
    said: Mapping[str, Sequence[str]],
    others: Sequence[str],
    *,
    seed: int,
    rows: int,
    most: int = 20,
) -> Embedded:  # fmt: skip
    """Return `rows` pictures through a CLIP, beside concepts by class, and `others` that have nothing to do with them.

    What is true of a picture is not known; a concept counts as true where it was written for the picture's class.
    """
    order = torch.randperm(len(pictures.y), generator=torch.Generator().manual_seed(seed))[: checks.counted(rows, "rows")]
    owners = chosen(said, pictures.classes, most=most)
    concepts = bank(model, list(owners), classes=pictures.classes)
    x, y = model.embed_images(pictures.images[order]).double(), pictures.y[order]
    table = torch.tensor([[int(name in has) for has in owners.values()] for name in pictures.classes])
    cuts = [int(SHARES[0] * len(y)), int(sum(SHARES) * len(y))]
    parts = [Rows(a, b) for a, b in zip(x.tensor_split(cuts), y.tensor_split(cuts), strict=True)]
    prompts = Words(list(pictures.classes), model.embed_texts([PROMPT.format(name) for name in pictures.classes]).double())
    vocabulary = [text for text in distinct(list(others)) if text.lower() not in owners]
    words = Words(concepts.names, concepts.vectors.double()), prompts, Words(vocabulary, model.embed_texts(vocabulary).double())
    return Embedded(*parts, table[parts[0].y], table[parts[2].y], *words)


def compared(model: clip.Backbone, pictures: Pictures, seeds: Sequence[int], *, rows: int, most: int = 20) -> pd.DataFrame:
    """Return accuracies on CIFAR-10 by each published set: columns set, table, seed, method or concepts and level, accuracy.

    A row of table `methods` is a method, one of `levels` a kind of concepts at a number of effective ones.
    """
    birds, parts = concept_sets.filtered("label-free CUB"), []
    for name in CIFAR10:
        said = concept_sets.by_class(name)
        for seed in seeds:
            made = measured(through(model, pictures, said, birds, seed=seed, rows=rows, most=most), seed)
            parts += [{"set": name, "table": kind} | row for kind, found in made.items() for row in found]
    return pd.DataFrame(parts, columns=COLUMNS)


def measured(data: Embedded, seed: int) -> Tables:
    """Return tables `methods` (accuracy of heads on the words, and of what they must beat) and `levels`, and LaBo's choice."""
    own = case(data, seed)
    rows = [{"seed": seed, "method": name, "accuracy": accuracy(METHODS[name](own), *data.test)} for name in COMPARED]
    return {"methods": [*rows, {"seed": seed, "method": "LaBo", "accuracy": bottled(data)}], "levels": rungs(own)}


def rungs(own: Case) -> list[dict]:
    """Return test accuracies at few effective concepts of the words, and of as many that mean nothing."""
    return [
        {"seed": own.seed, "concepts": name} | level._asdict()
        for name in KINDS
        for level in capacity.at_effective(own.path(name), own.data.train, own.data.test, levels=LEVELS)
    ]


def bottled(data: Embedded, *, k: int = 5) -> float:
    """Return the accuracy of a bottle of k sentences a class, chosen among those that were written for it."""
    similarity = labo.class_similarity(data.train.x, data.train.y, data.concepts.vectors).clamp_min(1e-6)
    own = {y: data.train_truth[data.train.y == y][0].nonzero().flatten().tolist() for y in range(similarity.shape[1])}
    owners = labo.select(own, data.concepts.vectors, similarity, k=k, alpha=1.0, beta=1.0)
    model = labo.labo(data.train, data.valid, data.concepts, owners=owners, epochs=150)
    return accuracy(model, *data.test)
