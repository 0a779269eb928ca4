"""What a CLIP says about scenes when it is only asked: for each attribute, which value's prompts lie nearest to the picture."""

from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor

from lib.data.captions.attributes import ATTRIBUTES, COLUMN
from lib.data.captions.sentences import FORMS, OPENERS, PLURAL, THINGS, WORDS, Parts

JOINT = "shape and colour"
CHANCE = {name: 1 / len(values) for name, values in ATTRIBUTES.items()} | {JOINT: 1 / 36}
NOUNS = (*THINGS, *(words[0] for words in WORDS["shape"]))
Embed = Callable[[list[str]], Tensor]


def prompts(attribute: str) -> list[list[str]]:
    """Return the prompts of each value of an attribute: openers by words, in a form of caption that says little else."""
    if attribute == JOINT:
        pairs = [(shape, colour) for shape in WORDS["shape"] for colour in WORDS["colour"]]
        return [[said(noun=noun, colour=word) for noun in shape for word in colour] for shape, colour in pairs]
    return [[said(**parts) for word in words for parts in around(attribute, word)] for words in WORDS[attribute]]


def around(attribute: str, word: str) -> list[dict[str, str]]:
    """Return what to say around a word of an attribute: each opener, and for an adjective each noun."""
    if attribute == "shape":
        named = [{"noun": word}, {"noun": PLURAL.get(word, f"{word}s")}]
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


def directions(embed: Embed, attribute: str) -> Tensor:
    """Return a unit row for each value, the mean over its prompts' unit rows, (k, d)."""
    rows = [torch.nn.functional.normalize(embed(texts), dim=1).mean(0) for texts in prompts(attribute)]
    return torch.nn.functional.normalize(torch.stack(rows), dim=1)


def accuracy(x: Tensor, truth: Tensor, embed: Embed) -> pd.DataFrame:
    """Return attribute, accuracy, chance and n for pictures' embeddings x (n, d) of known attributes (n, 7).

    An attribute is scored where it is defined: a place only of a single object.
    """
    rows = []
    for name, chance in CHANCE.items():
        column = truth[:, 0] * 6 + truth[:, 1] if name == JOINT else truth[:, COLUMN[name]]
        guess, there = (x @ directions(embed, name).T).argmax(1), column >= 0
        right = (guess == column)[there].double().mean().item()
        rows.append({"attribute": name, "accuracy": right, "chance": chance, "n": int(there.sum())})
    return pd.DataFrame(rows)
