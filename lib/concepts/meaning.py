"""Do concepts mean what they are called: existence, importance and place against the truth, of any model with true names."""

import torch
from torch import Tensor

from lib.concepts import agreement
from lib.concepts.bottleneck import ConceptModel, explain, predict
from lib.data.embeddings import Embedded

WHERE = ("location_1", "location_3", "location_chance_1", "location_chance_3")
FOLLOWS = [f"{what}_{k}" for what in ("cosine", "cosine_chance", "importance", "importance_chance") for k in (1, 2, 3)]
AGREES = ("existence_1", "existence_3", "chance", *FOLLOWS, *WHERE)
BLIND = ("random words", "random vectors")  # judged as if they meant the concepts, one each


def agrees(name: str, model: ConceptModel, data: Embedded) -> dict[str, float]:
    """Return whether leading concepts exist, whether weights follow presence, and whether maps find places, beside chance.

    Scores, weights and contributions of equal names are summed first. NaN for a model whose names have no truth.
    """
    table = meant(name, model, data)
    if table is None:
        return dict.fromkeys(AGREES, float("nan"))
    importance = explain(model, data.test.x).contributions @ table
    first, third = (agreement.concept_existence(importance, data.test_truth, most=m) for m in (1, 3))
    found = {"existence_1": first.value, "existence_3": third.value, "chance": first.chance}
    vectors = table.T @ slopes(model, data.train.x)
    return found | follows(model, data, table) | located(vectors, data, importance)


def meant(name: str, model: ConceptModel, data: Embedded) -> Tensor | None:
    """Return which true concept each of a model's is named by, (L', L) of 0 and 1, or None where none is.

    A number after a name tells units of one name apart. Random concepts are given the true names, in their order.
    """
    places = {concept: j for j, concept in enumerate(data.concepts.names)}
    if name in BLIND:
        return torch.eye(len(places), dtype=torch.float64)
    table = torch.zeros(len(model.concepts), len(places), dtype=torch.float64)
    for i, called in enumerate(model.concepts):
        word, _, number = called.rpartition(" ")
        j = places.get(called, places.get(word) if number.isdigit() else None)
        if j is not None:
            table[i, j] = 1
    return table if table.any() else None


def follows(model: ConceptModel, data: Embedded, table: Tensor) -> dict[str, float]:
    """Return CGIM 1 to 3, means over concepts: as published, centred (a correlation over classes), and of shuffled names.

    The scores that count are of test images whose class is predicted, as published, of classes that have some.
    """
    y, classes, theta = data.test.y, len(model.bias), model.weights @ table
    mean = agreement.class_mean(model.score(data.test.x) @ table, y, predict(model, data.test.x) == y, classes)
    own = ~mean.isnan().any(1)
    parts = theta[own], mean[own], agreement.presence(data.test_truth, y, classes)[own]
    found = []
    for centred in (False, True):
        found += [
            agreement.concept_global_importance(*parts, centred=centred).nanmean(1),
            agreement.shuffled_importance(*parts, centred=centred),
        ]
    return dict(zip(FOLLOWS, torch.cat(found).tolist(), strict=True))


def located(vectors: Tensor, data: Embedded, importance: Tensor) -> dict[str, float]:
    """Return how often a leading concept of three lies in the twelfth, and in the quarter, where its map is greatest.

    vectors: (L, d), the slope of each score by the embedding, which is the concept's vector where scores are linear.
    """
    if data.places is None:
        return dict.fromkeys(WHERE, float("nan"))
    tokens, where, size = data.places
    top = agreement.ranked(importance, 3)
    rows = torch.arange(len(top))[:, None]
    maps = agreement.activation_maps(tokens.flatten(1, 2), vectors[top], grid=tokens.shape[1:3], size=size)
    led_by, place = importance[rows, top], where[rows, top]
    found = [agreement.concept_location(maps, led_by, place, most=3, twelfths=t) for t in (1, 3)]
    return dict(zip(WHERE, [*(one.value for one in found), *(one.chance for one in found)], strict=True))


def slopes(model: ConceptModel, x: Tensor) -> Tensor:
    """Return the least-squares slope of each score by the embedding, (L, d)."""
    u = model.score(x)
    return torch.linalg.lstsq(x.double() - x.mean(0), u - u.mean(0), driver="gelsd").solution.T
