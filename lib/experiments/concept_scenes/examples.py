"""Examples for people: why a picture was given its class, what corrections change, what a discovered unit fires on."""

from typing import NamedTuple

import torch
from torch import Tensor

from lib.concepts import agreement
from lib.concepts.bottleneck import ConceptModel, explain, intervene, predict
from lib.concepts.capacity import by_effect
from lib.concepts.meaning import slopes
from lib.concepts.methods import METHODS, Case
from lib.concepts.scenes import drawn
from lib.core.digits import settled
from lib.data.embeddings import Embedded

CORRECTED = 5  # concepts that a person sets, one after another


class Example(NamedTuple):
    """Pictures of which a head was wrong, and its reasons."""

    images: Tensor  # (m, 3, h, w) uint8
    maps: Tensor  # (m, h, w): where the leading concept's score comes from
    led_by: list[str]  # m
    reasons: list[dict]  # picture, concept, contribution, there
    corrections: list[dict]  # picture, step, concept, predicted, true


def examples(case: Case, *, most: int = 4, **scene: float) -> Example:
    """Return the first `most` test pictures, wrong ones of a sparse head on words first; scene: rho, n, valid, test."""
    images, data = drawn(case.seed, **scene)[2].images, case.data
    model = METHODS["PCBM words"](case)
    own = (predict(model, data.test.x) == data.test.y).int().argsort(stable=True)[:most]
    x, truth = data.test.x[own], data.test_truth[own]
    parts = explain(model, x).contributions
    tokens, _, size = data.places
    maps = agreement.activation_maps(
        tokens[own].flatten(1, 2), slopes(model, data.train.x), grid=tuple(tokens.shape[1:3]), size=size
    )
    first = agreement.ranked(parts, 1)[:, 0]
    reasons = [
        {"picture": i, "concept": name, "contribution": value, "there": bool(there)}
        for i, (row, told) in enumerate(zip(parts.tolist(), truth.tolist(), strict=True))
        for name, value, there in zip(model.concepts, row, told, strict=True)
    ]
    led = [model.concepts[j] for j in first.tolist()]
    return Example(images[own], maps[torch.arange(len(own)), first], led, reasons, corrected(model, data, own))


def corrected(model: ConceptModel, data: Embedded, own: Tensor) -> list[dict]:
    """Return what is predicted after 0, 1, ... concepts were set to the truth, those first that move the logits most.

    A value that is said to be there clears those that it excludes: a shape that is a star is no ring.
    """
    x, truth, rows = data.test.x[own], data.test_truth[own], []
    order = by_effect(model, x, truth, torch.Generator())
    for step in range(CORRECTED + 1):
        said = settled(intervene(model, x, truth, order.argsort(1) < step, rivals=data.rivals)).argmax(1).tolist()
        for i, (k, y) in enumerate(zip(said, data.test.y[own].tolist(), strict=True)):
            last = model.concepts[int(order[i, step - 1])] if step else ""
            names = {"predicted": data.classes.names[k], "true": data.classes.names[y]}
            rows.append({"picture": i, "step": step, "concept": last} | names)
    return rows


def gallery(case: Case, *, units: int = 5, most: int = 6, **scene: float) -> tuple[list[str], Tensor]:
    """Return the names of the discovered units that the head weighs most, and the test pictures on which they fire most.

    -> names and (units, most, 3, h, w) uint8.
    """
    images, data = drawn(case.seed, **scene)[2].images, case.data
    model = METHODS["discover, then name"](case)
    heavy = model.weights.abs().sum(0).argsort(descending=True, stable=True)[:units]
    top = model.score(data.test.x)[:, heavy].argsort(dim=0, descending=True, stable=True)[:most].T
    return [model.concepts[j] for j in heavy.tolist()], images[top]
