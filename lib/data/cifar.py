"""CIFAR-10 from its canonical archive. Its batches are pickles; they are read as a list of values, and nothing in them is run.

Source: [krizhevsky2009learning].
"""

import pickletools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lib.data.addresses import CIFAR_BATCHES
from lib.data.sources import fetch

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)
NUMBERS = {"BININT", "BININT1", "BININT2", "INT"}


class Pictures(NamedTuple):
    """Coloured pictures and their classes."""

    images: Tensor  # (n, 3, 32, 32) uint8
    y: Tensor  # (n,) int64
    classes: tuple[str, ...]


def cifar10(batches: Sequence[str] = CIFAR_BATCHES[:-1]) -> Pictures:
    """Return the pictures of some batches, by default the 50 000 for training; "test_batch" has those for testing."""
    parts = [batch(path) for path in fetch("cifar10", batches).values()]
    return Pictures(torch.cat([p.images for p in parts]), torch.cat([p.y for p in parts]), CLASSES)


def batch(path: Path) -> Pictures:
    """Return the pictures of one batch: a dictionary whose `data` are the bytes of (n, 3072), `labels` a list of n.

    Errors: a file that is no pickle, or one without as many labels of ten classes as pictures.
    """
    found = list(values(path))
    longest = max((value for _, value in found if isinstance(value, str)), key=len, default="")
    pixels = np.frombuffer(longest.encode("latin-1"), np.uint8)
    y = [value for key, value in found if key == "labels" and not isinstance(value, str)]
    if not y or len(pixels) != len(y) * 3072 or not set(y) <= set(range(len(CLASSES))):
        raise ValueError(f"{path} has {len(y)} labels, {len(pixels)} bytes of pixels and labels {sorted(set(y))[:12]}; wanted "
                         "3072 bytes a label, which is below 10; fetch it again")  # fmt: skip
    return Pictures(torch.from_numpy(pixels.copy()).view(-1, *SHAPE), torch.tensor(y), CLASSES)


def values(path: Path) -> Iterator[tuple[str, str | int]]:
    """Yield the texts and whole numbers of a pickle, each with the text before it; strings of Python 2 are bytes."""
    last = ""
    try:
        for code, value, _ in pickletools.genops(path.read_bytes()):
            if code.name in NUMBERS:
                yield last, value
            elif isinstance(value, str | bytes):
                text = value.decode("latin-1") if isinstance(value, bytes) else value
                yield last, text
                last = text if len(text) < 80 else ""
    except ValueError as error:
        raise ValueError(f"{path} is no batch of CIFAR-10 ({error}); fetch it again") from None
