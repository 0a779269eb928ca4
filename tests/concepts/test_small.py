"""The words of a small CLIP are open_clip's byte pairs, renumbered, and its weights draw from a seed of their own."""

import torch

from lib.concepts import small
from lib.data.captions.attributes import draw
from lib.data.captions.sentences import captions
from tests.concepts.clips import TEXTS, WORDS


def test_pairs_of_words_one_by_one_are_those_of_the_text():
    texts = [*(text for row in captions(draw(50, seed=4), seed=4).texts for text in row), "It's a  (crimson) ring, isn't it?!"]
    for text in texts:
        assert [pair for word in text.split() for pair in small.pairs(word)] == small.byte_pairs().encode(text)
    found = small.Words(small.vocabulary(texts))(texts[-1:], context_length=8)[0]
    assert found[0] == found.max() - 1 and found[-1] == found.max() and len(found) == 8, "a cut text keeps its end"


def test_words_are_byte_pairs_renumbered_with_the_end_highest():
    for text in TEXTS[:40]:
        (row,) = WORDS(text)
        theirs = small.byte_pairs().encode(text)
        assert [WORDS.kept[i - small.FIRST] for i in row[1 : 1 + len(theirs)].tolist()] == theirs
        assert row.argmax() == len(theirs) + 1 and row.max() == WORDS.size - 1 and not row[len(theirs) + 2 :].any()
    assert WORDS("a zebra")[0, 2] == small.UNKNOWN
    assert WORDS(["red"] * 3).shape == (3, small.CONTEXT)


def test_nothing_of_torchs_random_state_is_touched():
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    small.untrained(WORDS.size, seed=1)
    assert torch.equal(torch.rand(3), want)
