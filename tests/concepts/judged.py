"""Planted concepts with the truth of their test images, on which measures judge models."""

import torch

from lib.concepts.bottleneck import model_of
from lib.core.types import Rows, Words
from tests.samples import planted

X, Y, TRUTH, ATOMS = planted(500, seed=0)
BANK = Words([f"atom {j}" for j in range(6)], ATOMS)
TRAIN = Rows(X, Y)
TEST = Rows(*planted(300, seed=20)[:2])
TOLD = planted(300, seed=20)[2]


def drawn(*shape, rate=0.3, seed=0):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).long()


def simple(weights, x, **given):
    bias = torch.zeros(len(weights), dtype=torch.float64)
    return model_of(lambda z: z.double(), weights, bias, x, concepts=[str(j) for j in range(x.shape[1])], **given)
