"""Sentences say only what is true, and leave out what they claim to."""

import re

import pytest

from lib.data.captions.attributes import ATTRIBUTES, COLUMN, draw
from lib.data.captions.sentences import OMITTED, OPENERS, THINGS, WORDS, captions


def readings():
    """What each phrase says: phrase -> (attribute, value), longest first, plurals among them."""
    found = {}
    for name, values in WORDS.items():
        for value, words in enumerate(values):
            for word in words:
                for form in {word, *([f"{word}s", f"{word}es"] if name == "shape" else [])}:
                    assert form not in found, f"{form!r} has two meanings"
                    found[form] = (name, value)
    return sorted(found.items(), key=lambda item: -len(item[0]))


def read_back(text, phrases):
    """The attributes that a caption states, and the words that state nothing."""
    said = {}
    for phrase, (name, value) in phrases:
        text, times = re.subn(rf"\b{phrase}\b", " ", text)
        if times:
            assert name not in said and times == 1, f"{name} is said twice"
            said[name] = value
    return said, text.split()


def test_captions_say_only_what_is_true_and_say_what_they_claim_to():
    truth = draw(800, part="all", seed=9)
    written, phrases = captions(truth, each=3, seed=9), readings()
    silent = {*" ".join(OPENERS).split(), "some", *THINGS, *(f"{thing}s" for thing in THINGS)}
    for row, texts, flags in zip(truth.tolist(), written.texts, written.said.tolist(), strict=True):
        for text, flag in zip(texts, flags, strict=True):
            said, rest = read_back(text, phrases)
            assert said == {name: row[i] for i, name in enumerate(ATTRIBUTES) if flag[i]}, text
            assert set(rest) <= silent, text


def test_attributes_are_left_out_as_often_as_stated():
    truth = draw(5000, seed=10)
    said = captions(truth, each=4, seed=10).said
    for name, rate in OMITTED.items():
        there = truth[:, COLUMN[name]] >= 0
        assert 1 - said[there][:, :, COLUMN[name]].double().mean() == pytest.approx(rate, abs=0.016)
    assert not said[truth[:, COLUMN["place"]] < 0][..., COLUMN["place"]].any()
