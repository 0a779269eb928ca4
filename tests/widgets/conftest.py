"""A concept model with two pictures that it was asked about."""

import pytest
import torch

from lib.widgets import concept_model
from tests.widgets.samples import CLASSES, model


@pytest.fixture
def found() -> concept_model.Seen:
    """Two pictures: an apple that is read right, and a ball that is read as an apple since its roundness was not seen."""
    scores = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.2, 1.0]], dtype=torch.float64)
    images = torch.arange(2 * 3 * 8 * 8).view(2, 3, 8, 8).remainder(256).to(torch.uint8)
    maps = torch.zeros(2, 3, 8, 8)
    maps[:, :, :4] = 1.0
    truth = torch.tensor([[1, 0, 1], [1, 1, 0]])
    return concept_model.Seen(model(), images, scores, maps, truth, torch.tensor([0, 1]), CLASSES)
