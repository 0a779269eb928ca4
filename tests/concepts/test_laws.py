"""A law of all measures of concepts: what has no answer is refused, and the error says what was wanted."""

import pytest
import torch

from lib.concepts import agreement, leakage
from tests.samples import normal


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: agreement.concept_existence(normal(3, 2, seed=0), torch.zeros(3, 2), most=1), "no image has a concept"),
        (lambda: agreement.concept_existence(normal(3, 2, seed=0), torch.ones(3, 2), most=3), "ask for fewer"),
        (lambda: agreement.presence(torch.full((3, 2), 2), torch.zeros(3).long(), 1), "of 0 and 1"),
        (lambda: agreement.activation_maps(normal(1, 5, 2, seed=0), normal(1, 2, seed=0), grid=(2, 2), size=(2, 2)), "tokens"),
        (lambda: leakage.oracle_impurity(*[torch.ones(9, 2)] * 4), "0 concepts vary in both splits"),
    ],
)
def test_measures_refuse(call, says):
    with pytest.raises(ValueError, match=says):
        call()
