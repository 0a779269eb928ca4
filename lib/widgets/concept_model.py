"""Views of a concept model at work: why a picture got its class, what a correction changes, what a unit fires on. All SVG."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib import colormaps
from torch import Tensor

from lib.concepts import agreement
from lib.concepts.bottleneck import ConceptModel, explain, intervene, logits, predict
from lib.concepts.meaning import slopes
from lib.data.embeddings import Embedded
from lib.widgets.svg import LABEL, ROW, SIDE, WIDE, bars, document, text, tile
from lib.workbook import plot

ABSENT, THERE, GREY = plot.COLOURS[1], plot.COLOURS[2], "#BBBBBB"


class Seen(NamedTuple):
    """Pictures as a concept model sees them, and what is known of them."""

    model: ConceptModel  # its `score` takes the scores below, so that explaining and correcting need no encoder
    images: Tensor  # (m, 3, h, w) uint8
    scores: Tensor  # (m, L)
    maps: Tensor  # (m, L, h, w): what each part of a picture adds to each score
    truth: Tensor  # (m, L) 0 or 1
    y: Tensor  # (m,)
    classes: list[str]


class Units(NamedTuple):
    """Discovered units, those first that the head weighs most, and the pictures on which they fire most."""

    names: list[str]  # m
    images: Tensor  # (m, most, 3, h, w) uint8
    scores: Tensor  # (m, most)
    tells: list[str]  # m: the concept that is in these pictures beyond its share in all


def seen(model: ConceptModel, data: Embedded, images: Tensor, *, most: int = 12) -> Seen:
    """Return `most` test pictures (n, 3, h, w) through a model, those first of which it is wrong."""
    if data.places is None or len(images) != len(data.test.x):
        raise ValueError(f"{len(images)} pictures for {len(data.test.x)} embeddings with places {data.places is not None}; "
                         "give the test pictures, and embed with places=True")  # fmt: skip
    own = (predict(model, data.test.x) == data.test.y).int().argsort(stable=True)[:most]
    tokens, _, size = data.places
    flat, grid = tokens[own].flatten(1, 2), tuple(tokens.shape[1:3])
    maps = agreement.activation_maps(flat, slopes(model, data.train.x), grid=grid, size=size)
    still = model._replace(score=lambda u: u, residual=None)
    known = data.test_truth[own], data.test.y[own], list(data.classes.names)
    return Seen(still, images[own], model.score(data.test.x[own]), maps, *known)


def units(model: ConceptModel, data: Embedded, images: Tensor, *, count: int = 12, most: int = 6) -> Units:
    """Return the `count` units that a head weighs most, each with the test pictures (n, 3, h, w) of its greatest scores."""
    heavy = model.weights.abs().sum(0).argsort(descending=True, stable=True)[:count]
    u = model.score(data.test.x)[:, heavy]
    top = u.argsort(dim=0, descending=True, stable=True)[:most].T
    truth = data.test_truth.double()
    more = (truth[top].mean(1) - truth.mean(0)).argmax(1).tolist()
    names = [model.concepts[j] for j in heavy.tolist()]
    return Units(names, images[top], u.T.gather(1, top), [data.concepts.names[j] for j in more])


def titles(found: Seen) -> list[tuple[str, int]]:
    """Return a title for each picture with its place: what it is, and what it is read as."""
    said = predict(found.model, found.scores).tolist()
    pairs = zip(found.y.tolist(), said, strict=True)
    return [(f"{i}: {found.classes[y]}, read as {found.classes[k]}", i) for i, (y, k) in enumerate(pairs)]


def used(found: Seen) -> list[str]:
    """Return the concepts that have a weight for some class, the greatest sum of moduli first."""
    size = found.model.weights.abs().sum(0)
    return [found.model.concepts[j] for j in size.argsort(descending=True, stable=True).tolist() if size[j] > 0]


def place(found: Seen, concept: str) -> int:
    """Return the column of a concept, or say which there are."""
    if concept not in found.model.concepts:
        raise ValueError(f"no concept {concept!r}; the model has {', '.join(found.model.concepts)}")
    return found.model.concepts.index(concept)


def leading(found: Seen, picture: int) -> str:
    """Return the concept that adds most to the class that a picture is given."""
    parts = explain(found.model, found.scores[picture : picture + 1]).contributions[0]
    return found.model.concepts[int(parts.argmax())]


def reasons(found: Seen, *, picture: int, concept: str, most: int = 8) -> str:
    """Return a picture, where a concept's score comes from, and what the concepts add to the logit of the class given.

    Bars: the `most` of greatest modulus that are not zero, green where the concept is in the picture and red where it is not,
    and what is left.
    """
    why = explain(found.model, found.scores[picture : picture + 1])
    parts, there = why.contributions[0], found.truth[picture]
    order = [j for j in parts.abs().argsort(descending=True, stable=True)[:most].tolist() if parts[j] != 0]
    rows = [(found.model.concepts[j], parts[j].item(), THERE if there[j] else ABSENT) for j in order]
    rows.append(("all others", (parts.sum() - parts[order].sum() + why.rest[0]).item(), GREY))
    image, mixed = found.images[picture], mapped(found.images[picture], found.maps[picture, place(found, concept)])
    drawn = tile(image, 0, 14) + tile(mixed, SIDE + 8, 14) + bars(rows, 2 * SIDE + 16, 14)
    words = text(titles(found)[picture][0], 0, 10) + text(f"map: {concept}", SIDE + 8, SIDE + 27)
    return document(drawn + words, 2 * SIDE + 16 + LABEL + 2 * WIDE, max(SIDE + 32, 14 + ROW * len(rows)))


def corrected(found: Seen, *, picture: int, said: dict[str, bool], most: int = 6) -> str:
    """Return a picture and the probabilities of its likeliest classes, grey as seen and coloured as corrected.

    said: concept -> whether it is there, what a person says; others stay as the model sees them. Green is the true class.
    """
    u, there = found.scores[picture : picture + 1], torch.zeros(len(found.model.concepts), dtype=torch.long)
    chosen = torch.zeros_like(there, dtype=torch.bool)
    for name, value in said.items():
        chosen[place(found, name)], there[place(found, name)] = True, int(value)
    before, after = logits(found.model, u)[0].softmax(0), intervene(found.model, u, there[None], chosen)[0].softmax(0)
    shown = torch.maximum(before, after).argsort(descending=True, stable=True)[:most].tolist()
    hues = {k: THERE if k == int(found.y[picture]) else plot.COLOURS[0] for k in shown}
    rows = [row for k in shown for row in ((found.classes[k], before[k].item(), GREY), ("", after[k].item(), hues[k]))]
    names = [found.classes[int(p.argmax())] for p in (before, after)]
    told = f"read as {names[0]}, corrected {names[1]}, true {found.classes[int(found.y[picture])]}"
    drawn = text(told, 0, 10) + tile(found.images[picture], 0, 14) + bars(rows, SIDE + 8, 14, both=False)
    return document(drawn, SIDE + 8 + LABEL + WIDE + 40, max(SIDE, ROW * len(rows)) + 18)


def fired(found: Units, *, unit: int) -> str:
    """Return the pictures on which one unit fires most, with its name and how much it fires."""
    tiles = [tile(image, i * (SIDE + 4), 14) for i, image in enumerate(found.images[unit])]
    values = [text(f"{v:.3g}", i * (SIDE + 4), SIDE + 26) for i, v in enumerate(found.scores[unit].tolist())]
    name = f"unit {unit}, called {found.names[unit]!r}; these pictures have more of {found.tells[unit]!r} than others"
    return document("".join([text(name, 0, 10), *tiles, *values]), len(tiles) * (SIDE + 4), SIDE + 30)


def gallery(found: Units, *, count: int) -> str:
    """Return the pictures of the first `count` units, a row each, small, with their names."""
    side, rows = SIDE // 2, []
    for i, name in enumerate(found.names[:count]):
        rows.append(text(name, 0, i * (side + 4) + side / 2))
        rows += [tile(image, LABEL + j * (side + 4), i * (side + 4), side) for j, image in enumerate(found.images[i])]
    return document("".join(rows), LABEL + found.images.shape[1] * (side + 4), min(count, len(found.names)) * (side + 4))


def mapped(image: Tensor, amounts: Tensor) -> Tensor:
    """Return a picture (3, h, w) under its map (h, w): red where a part adds more than the mean of the parts, blue less."""
    off = (amounts - amounts.mean()).numpy()
    hues = colormaps["RdBu_r"](0.5 + 0.5 * off / max(np.abs(off).max(), 1e-30))[..., :3] * 255
    return (0.35 * image + 0.65 * torch.from_numpy(hues).movedim(2, 0)).round().to(torch.uint8)
