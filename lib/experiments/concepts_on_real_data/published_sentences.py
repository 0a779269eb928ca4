"""Pictures through any CLIP, against the concepts that were published for their classes: heads on them, and on other words.

And units that are discovered in the embeddings without words, named by the published concepts and by others beside them.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor

from lib.concepts import capacity, clip, labo, leakage
from lib.concepts.bank import bank, named_classes
from lib.concepts.bottleneck import accuracy
from lib.concepts.capacity import LEVELS
from lib.concepts.discover import codes, name_units
from lib.concepts.methods import METHODS, Case, case, names_of
from lib.core import checks
from lib.core.types import Rows, Words
from lib.data import concept_sets
from lib.data.cifar import Pictures
from lib.data.concept_sets import distinct
from lib.data.embeddings import Embedded
from lib.experiments.tables import Tables

SHARES = (0.6, 0.2)  # of pictures for training and validation; the rest is for testing
KINDS = ("words", "random words", "random vectors")  # without directions: their labels would be those of classes
COMPARED = ("linear probe", "zero-shot", "PCBM words", "PCBM-h", "random words", "random vectors")
CIFAR10 = ("label-free CIFAR-10", "VLG CIFAR-10", "LaBo CIFAR-10")
OTHERS = "label-free CUB"
NAMED = ["units", "fits", "shuffled", "foreign", "foreign_words"]
COLUMNS = ["set", "table", "seed", "method", "concepts", "level", "accuracy", "found", "reached", *NAMED]
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
    written = {text.lower() for texts in said.values() for text in distinct(list(texts))}  # more than is kept of them
    vocabulary = [text for text in distinct(list(others)) if text.lower() not in written]
    words = Words(concepts.names, concepts.vectors.double()), prompts, Words(vocabulary, model.embed_texts(vocabulary).double())
    return Embedded(*parts, table[parts[0].y], table[parts[2].y], *words)


def compared(model: clip.Backbone, pictures: Pictures, seeds: Sequence[int], *, rows: int, most: int = 20) -> pd.DataFrame:
    """Return what each published set comes to on CIFAR-10, one flat table whose rows leave the columns of others empty.

    A row of table `methods` is a method and its accuracy, one of `levels` a kind of concepts at a number of effective ones,
    one of `names` the discovered units of a seed. The others are sentences of birds, which one class of ten has a use for.
    """
    birds, parts = concept_sets.filtered(OTHERS), []
    for seed in seeds:
        learnt = None
        for name in CIFAR10:
            own = case(through(model, pictures, concept_sets.by_class(name), birds, seed=seed, rows=rows, most=most), seed)
            learnt = learnt or own.dictionary  # no words enter it, so every set names the same units
            made = measured(own._replace(dictionary=learnt))
            parts += [{"set": name, "table": kind} | row for kind, found in made.items() for row in found]
    return pd.DataFrame(parts, columns=COLUMNS)


def measured(own: Case) -> Tables:
    """Return tables `methods` (accuracy of heads on the words, of LaBo's choice, of what they must beat), `levels`, `names`."""
    right = {name: accuracy(METHODS[name](own), *own.data.test) for name in COMPARED} | {"LaBo": bottled(own.data)}
    rows = [{"seed": own.seed, "method": name, "accuracy": share} for name, share in right.items()]
    return {"methods": rows, "levels": rungs(own), "names": [named(own)]}


def rungs(own: Case) -> list[dict]:
    """Return test accuracies at few effective concepts of the words, and of as many that mean nothing."""
    return [
        {"seed": own.seed, "concepts": name} | level._asdict()
        for name in KINDS
        for level in capacity.at_effective(own.path(name), own.data.train, own.data.test, levels=LEVELS)
    ]


def named(own: Case) -> dict[str, float]:
    """Return how the published words and the others name units of a sparse autoencoder on the embeddings, see `fitting`.

    Named are units that fire in training and on the test. Source: [rao2024discover]; the score of a name is ours.
    """
    found = own.dictionary()
    naming, code = name_units(found, 0, names_of(own.data)), codes(found, 0)(own.data.test.x)
    fires = ~naming.dead & (code > 0).any(0)
    called = [name for name, one in zip(naming.names, fires.tolist(), strict=True) if one]
    return {"seed": own.seed} | fitting(code[:, fires], called, own.data, own.seed)


def fitting(code: Tensor, called: Sequence[str], data: Embedded, seed: int) -> dict[str, float]:
    """Return the share of names that fit, and what it is beside; code: (n, units) of the test, called: a name for each unit.

    A unit tells best the class of the largest area under the ROC curve of its code against all other classes. A name fits
    if it was published for that class, whoever else it was published for; one of the others never does. `shuffled`: the same
    with names dealt anew to the units; `foreign`: units with a name of the others; `foreign_words`: their share of all words.
    Errors: no unit, or one class on the test.
    """
    present, known = data.test.y.unique().tolist(), data.concepts.names
    if not called or len(present) < 2:
        raise ValueError(f"{len(called)} units fire and {len(present)} classes are tested; give more pictures")
    against = torch.stack([data.test.y == k for k in present], 1).long()  # (n, K)
    tells = leakage.area(code.T[..., None].expand(-1, -1, len(present)), against).argmax(1).tolist()
    owned = [{known[j] for j in data.test_truth[data.test.y == k][0].nonzero().flatten().tolist()} for k in present]
    turned = torch.randperm(len(called), generator=torch.Generator().manual_seed(seed)).tolist()
    fits, shuffled = (
        [name in owned[k] for name, k in zip(names, tells, strict=True)] for names in (called, [called[i] for i in turned])
    )
    foreign, others = [name not in known for name in called], len(data.vocabulary.names)
    shares = [sum(of) / len(called) for of in (fits, shuffled, foreign)]
    return dict(zip(NAMED, (len(called), *shares, others / (others + len(known))), strict=True))


def bottled(data: Embedded, *, k: int = 5) -> float:
    """Return the accuracy of a bottle of k sentences a class, chosen among those that were written for it."""
    similarity = labo.class_similarity(data.train.x, data.train.y, data.concepts.vectors).clamp_min(1e-6)
    own = {y: data.train_truth[data.train.y == y][0].nonzero().flatten().tolist() for y in range(similarity.shape[1])}
    owners = labo.select(own, data.concepts.vectors, similarity, k=k, alpha=1.0, beta=1.0)
    model = labo.labo(data.train, data.valid, data.concepts, owners=owners, epochs=150)
    return accuracy(model, *data.test)
