"""Sentences about scenes: eight forms, several words for most things, and much that is left out, but nothing untrue.

No word belongs to two values of an attribute or to two attributes, so a caption can be read back to what it says.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.data.captions.attributes import ATTRIBUTES, COLUMN, attributes, stream

OPENERS = ("a picture of", "a photo of", "an image of", "a drawing of", "there is", "here we see")
WORDS: dict[str, tuple[tuple[str, ...], ...]] = {  # for each attribute, the words of each value, the plain one first
    "shape": (("circle", "disc"), ("square", "box"), ("triangle",), ("star",), ("ring", "hoop"), ("cross",)),
    "colour": (
        ("red", "crimson"),
        ("green", "emerald"),
        ("blue", "navy"),
        ("yellow", "golden"),
        ("purple", "violet"),
        ("white",),
    ),
    "texture": (("solid", "filled"), ("striped", "banded"), ("dotted", "spotted")),
    "size": (("small", "little", "tiny"), ("large", "big", "huge")),
    "place": (
        ("on the left", "at the left side"),
        ("on the right", "at the right side"),
        ("at the top", "in the upper part"),
        ("at the bottom", "in the lower part"),
        ("in the middle", "in the centre"),
    ),
    "background": (
        ("on a plain background", "on plain grey"),
        ("on grass", "on a lawn", "in a meadow"),
        ("on water", "over waves", "in the sea"),
        ("on a checkerboard", "on tiles"),
    ),
    "count": (("one", "a single"), ("two", "a pair of"), ("three",)),
}
PLURAL = {"box": "boxes", "cross": "crosses"}  # others take an s
THINGS = ("object", "thing")  # for a shape that is not said
OMITTED = {"shape": 0.1, "colour": 0.2, "count": 0.4, "texture": 0.45, "size": 0.45, "place": 0.45, "background": 0.45}


class Parts(NamedTuple):
    """What a sentence is made of; what is left out is empty."""

    opener: str
    count: str
    size: str
    texture: str
    colour: str
    noun: str  # in the plural for several
    place: str
    background: str


class Captions(NamedTuple):
    """Sentences about scenes, and what each says."""

    texts: list[list[str]]  # n scenes, `each` sentences
    said: Tensor  # (n, each, 7) bool: whether the sentence says the attribute


def thing(p: Parts) -> str:
    """Return the noun with all that stands before it."""
    return f"{p.count} {p.size} {p.texture} {p.colour} {p.noun}"


FORMS: tuple[Callable[[Parts], str], ...] = (
    lambda p: f"{p.opener} {thing(p)} {p.place} {p.background}",
    lambda p: f"{p.opener} {thing(p)} {p.background} {p.place}",
    lambda p: f"{thing(p)} {p.place} {p.background}",
    lambda p: f"{thing(p)} {p.background} {p.place}",
    lambda p: f"{p.background} {p.place} {thing(p)}",
    lambda p: f"{p.place} {thing(p)} {p.background}",
    lambda p: f"{p.count} {p.colour} {p.noun} {p.texture} {p.size} {p.background} {p.place}",
    lambda p: f"{p.opener} {p.count} {p.size} {p.noun} {p.colour} {p.texture} {p.place} {p.background}",
)


def captions(truth: Tensor, *, each: int = 4, seed: int) -> Captions:
    """Write `each` sentences about every scene; truth: (n, 7).

    Attributes are left out with the probabilities of OMITTED: a shape becomes an "object", a count "some". The noun is in the
    plural for two or three, so a sentence that does not say the count still says whether there is one.
    """
    generator = stream(seed, "sentences")
    shape = (len(attributes(truth)), checks.counted(each, "each"), len(ATTRIBUTES))
    omitted = torch.rand(shape, generator=generator) < torch.tensor([OMITTED[name] for name in ATTRIBUTES])
    said = ~omitted & (truth[:, None] >= 0)
    dice = torch.randint(2**20, (*shape[:2], len(ATTRIBUTES) + 2), generator=generator)
    rows = zip(truth.tolist(), said.tolist(), dice.tolist(), strict=True)
    texts = [[sentence(values, *drawn) for drawn in zip(says, dies, strict=True)] for values, says, dies in rows]
    return Captions(texts, said)


def sentence(values: list[int], says: list[bool], dice: list[int]) -> str:
    """Write one sentence: attributes, whether each is said, and a whole number to choose each word, the opener and the form."""
    word = {}
    for (name, words), value, spoken, die in zip(WORDS.items(), values, says, dice, strict=False):
        word[name] = words[value][die % len(words[value])] if spoken else ""
    noun = word.pop("shape") or THINGS[dice[COLUMN["shape"]] % len(THINGS)]
    if values[COLUMN["count"]] > 0:
        noun = PLURAL.get(noun, f"{noun}s")
    count, opener = word["count"] or "some", OPENERS[dice[-2] % len(OPENERS)]
    parts = Parts(**word | {"count": count}, opener=opener, noun=noun)
    return " ".join(FORMS[dice[-1] % len(FORMS)](parts).split())
