"""Embeddings made of planted concepts, with the words that name these."""

from lib.core.types import Rows, Words
from tests.samples import planted


def rows(n=600, *, seed=0, **given):
    x, y, truth, atoms = planted(n, seed=seed, **given)
    return Rows(x, y), truth, Words([f"atom {j}" for j in range(len(atoms))], atoms)


TRAIN, TRUTH, BANK = rows()
VALID = rows(300, seed=50)[0]
