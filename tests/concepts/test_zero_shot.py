"""Prompts say one value of an attribute, and accuracy counts pictures that lie on their own."""

import pytest
import torch

from lib.concepts import zero_shot
from lib.concepts.bank import Bank
from lib.data.captions.attributes import ATTRIBUTES, COLUMN, draw
from lib.data.captions.sentences import WORDS as PHRASES


@pytest.mark.parametrize("attribute", zero_shot.CHANCE)
def test_prompts_say_their_value_and_nothing_else(attribute):
    """Read back by the words of captions; a noun may stand beside an adjective."""
    prompts = zero_shot.prompts(attribute)
    assert len(prompts) == len(zero_shot.values(attribute)) == round(1 / zero_shot.CHANCE[attribute])
    assert len({text for texts in prompts for text in texts}) == sum(map(len, prompts)), "a prompt is given twice"
    if attribute != zero_shot.JOINT:
        for value, texts in enumerate(prompts):
            others = [word for v, words in enumerate(PHRASES[attribute]) if v != value for word in words]
            for text in texts:
                assert any(word in text for word in PHRASES[attribute][value]), text
                assert not any(f" {word} " in f" {text} " for word in others), text


def test_accuracy_is_one_for_pictures_that_lie_on_their_value_and_counts_where_it_is_defined():
    truth = draw(2000, part="all", seed=3)
    for name, chance in zero_shot.CHANCE.items():
        k = round(1 / chance)
        made = {other: Bank([], [], torch.eye(k), "one", "unit", {}) for other in zero_shot.CHANCE}
        column = truth[:, 0] * 6 + truth[:, 1] if name == zero_shot.JOINT else truth[:, COLUMN[name]]
        right = zero_shot.accuracy(torch.eye(k)[column], truth, made, backbone="one").set_index("attribute").loc[name]
        assert right.accuracy == 1 and right.n == (column >= 0).sum() and right.chance == pytest.approx(1 / k)
        moved = zero_shot.accuracy(torch.eye(k)[(column + 1) % k], truth, made, backbone="one").set_index("attribute")
        assert moved.accuracy[name] == 0
    assert list(zero_shot.CHANCE)[:-1] == list(ATTRIBUTES)
