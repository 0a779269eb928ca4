"""What a CLIP says about scenes when it is only asked: for each attribute, which value's prompts lie nearest to the picture."""

import pandas as pd
from torch import Tensor

from lib.concepts.bank import Bank, bank, scores
from lib.concepts.clip import Backbone
from lib.data.captions.attributes import ATTRIBUTES, COLUMN
from lib.data.captions.sentences import FORMS, OPENERS, PLURAL, THINGS, WORDS, Parts

JOINT = "shape and colour"
CHANCE = {name: 1 / len(values) for name, values in ATTRIBUTES.items()} | {JOINT: 1 / 36}
NOUNS = (*THINGS, *(words[0] for words in WORDS["shape"]))


def prompts(attribute: str) -> list[list[str]]:
    """Return the prompts of each value of an attribute: openers by words, in a form of caption that says little else.

    The forms were chosen on scenes of other seeds than those that are scored.
    """
    if attribute == JOINT:
        pairs = [(shape, colour) for shape in WORDS["shape"] for colour in WORDS["colour"]]
        return [[said(noun=noun, colour=word) for noun in shape for word in colour] for shape, colour in pairs]
    return [[said(**parts) for word in words for parts in around(attribute, word)] for words in WORDS[attribute]]


def around(attribute: str, word: str) -> list[dict[str, str]]:
    """Return what to say around a word of an attribute: each opener, and for an adjective each noun, for a noun each count."""
    if attribute == "shape":
        several = PLURAL.get(word, f"{word}s")
        named = [{"count": one[0], "noun": several if i else word} for i, one in enumerate(WORDS["count"])]
    elif attribute == "count":
        named = [{"count": word, "noun": noun if word in WORDS["count"][0] else PLURAL.get(noun, f"{noun}s")} for noun in NOUNS]
    elif attribute in ("colour", "texture", "size"):
        named = [{attribute: word, "noun": noun} for noun in NOUNS]
    else:
        named = [{attribute: word, "noun": noun} for noun in THINGS]
    return [parts | {"opener": opener} for parts in named for opener in OPENERS[:3]]


def said(**parts: str) -> str:
    """Return the sentence of these parts, with "some" for a count that is not among them."""
    empty = dict.fromkeys(Parts._fields, "") | {"opener": OPENERS[0], "count": "some"}
    return " ".join(FORMS[0](Parts(**(empty | parts))).split())


def banks(backbone: Backbone) -> dict[str, Bank]:
    """Return a bank for each attribute, and for shape and colour together, with a row for each value."""
    return {name: bank(backbone, dict(zip(values(name), prompts(name), strict=True))) for name in CHANCE}


def values(attribute: str) -> list[str]:
    """Return the names of an attribute's values."""
    if attribute == JOINT:
        return [f"{colour} {shape}" for shape in ATTRIBUTES["shape"] for colour in ATTRIBUTES["colour"]]
    return list(ATTRIBUTES[attribute])


def accuracy(x: Tensor, truth: Tensor, made: dict[str, Bank], *, backbone: str) -> pd.DataFrame:
    """Return attribute, accuracy, chance and n for pictures of known attributes.

    x: (n, d) unit rows by the backbone of that fingerprint; truth: (n, 7); made: the banks of `banks`. An attribute is scored
    where it is defined: a place only of a single object.
    """
    rows = []
    for name, chance in CHANCE.items():
        column = truth[:, 0] * len(ATTRIBUTES["colour"]) + truth[:, 1] if name == JOINT else truth[:, COLUMN[name]]
        guess, there = scores(made[name], x, backbone=backbone).argmax(1), column >= 0
        right = (guess == column)[there].double().mean().item()
        rows.append({"attribute": name, "accuracy": right, "chance": chance, "n": int(there.sum())})
    return pd.DataFrame(rows)
