"""Embeddings of images with what their encoder makes of words: written by whoever has an encoder, read by all concept models.

A folder holds train.safetensors and test.safetensors, each with images (n, d), attributes (n, L) 0 or 1 and labels (n,), and
texts.json with the names of concepts (L), classes (K) and a vocabulary, whose vectors are in texts.safetensors.
"""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lib.core import checks
from lib.core.types import Rows, Words

TEXTS = ("concepts", "classes", "vocabulary")


class Places(NamedTuple):
    """Where things are in the test images, and what an encoder says of each part of them."""

    tokens: Tensor  # (n, h, w, d): the mean over places is the embedding before it is made unit
    where: Tensor  # (n, L, 2) row and column of a concept that is at one point, -1 for others
    size: tuple[int, int]  # of the images, pixels


class Embedded(NamedTuple):
    """One data set, seen through one encoder."""

    train: Rows  # x (n, d), y (n,)
    valid: Rows
    test: Rows
    train_truth: Tensor  # (n, L) 0 or 1: which concepts an image has
    test_truth: Tensor
    concepts: Words  # L, in the order of the columns of the truth
    classes: Words  # K prompts
    vocabulary: Words  # words that need not have to do with the task
    places: Places | None = None
    rivals: Tensor | None = None  # (L,) int64: concepts of one number exclude each other, as the values of one attribute do


def write_embeddings(folder: Path, parts: dict[str, dict[str, Tensor]], texts: dict[str, Words]) -> None:
    """Write parts "train" and "test" of images, attributes and labels, and texts "concepts", "classes" and "vocabulary"."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "test"):
        save_file({key: value.contiguous() for key, value in parts[name].items()}, folder / f"{name}.safetensors")
    (folder / "texts.json").write_text(json.dumps({name: list(texts[name].names) for name in TEXTS}, indent=1) + "\n")
    save_file({name: texts[name].vectors.contiguous() for name in TEXTS}, folder / "texts.safetensors")


def read_embeddings(folder: Path, *, valid: float = 0.25, seed: int = 0) -> Embedded:
    """Read a folder; a share of the training rows, drawn by the seed, is held out for every choice that is made."""
    if missing := [n for n in ("train.safetensors", "test.safetensors", "texts.json") if not (folder / n).exists()]:
        raise ValueError(f"{folder} lacks {missing}; write it with lib.data.embeddings.write_embeddings")
    names, vectors = json.loads((folder / "texts.json").read_text()), load_file(folder / "texts.safetensors")
    texts = [Words(names[name], vectors[name].double()) for name in TEXTS]
    train, test = (load_file(folder / f"{name}.safetensors") for name in ("train", "test"))
    for name, part in {"train": train, "test": test}.items():
        n = len(checks.single(part["images"], f"images of {name}"))
        checks.labels(part["labels"], n)
        if tuple(part["attributes"].shape) != (n, len(texts[0].names)):
            wish = (n, len(texts[0].names))
            raise ValueError(f"attributes of {name} must have shape {wish}, got {tuple(part['attributes'].shape)}")
    if not 0 < valid < 1:
        raise ValueError(f"valid must lie in (0, 1), got {valid!r}")
    order = torch.randperm(len(train["labels"]), generator=torch.Generator().manual_seed(seed))
    cut = int(len(order) * (1 - valid))
    rows = [Rows(train["images"][own].double(), train["labels"][own].long()) for own in (order[:cut], order[cut:])]
    held = Rows(test["images"].double(), test["labels"].long())
    return Embedded(*rows, held, train["attributes"][order[:cut]], test["attributes"], *texts)


def planted_embeddings(
    n: int, *, seed: int, classes: int = 6, concepts: int = 12, width: int = 32, correlation: float = 0.0, spread: float = 0.12
) -> Embedded:
    """Return embeddings made of known concepts: what an encoder that keeps its words would give.

    An embedding is the sum of the vectors of its concepts, of one that all share as in a cone, and noise, at unit length.
    Class k has concept k with probability 0.9, others with 0.1; the rest come by chance, but the last, a background, which in
    training alone tells odd from even classes with probability (1 + correlation) / 2. Three parts of n rows.
    """
    draw = torch.Generator().manual_seed(seed)
    if not 0 <= correlation <= 1 or not classes < concepts < width:
        raise ValueError(f"correlation must lie in [0, 1] and classes < concepts < width, got {correlation}, {classes}, "
                         f"{concepts}, {width}")  # fmt: skip
    frame = torch.linalg.qr(torch.randn(width, width, generator=draw, dtype=torch.float64)).Q
    vectors, shared = frame[:concepts], frame[-1]

    def part(tied: float) -> tuple[Rows, Tensor]:
        y = torch.randint(classes, (n,), generator=draw)
        truth = (torch.rand(n, concepts, generator=draw) < 0.3).long()
        own = torch.nn.functional.one_hot(y, classes).double()
        truth[:, :classes] = (torch.rand(n, classes, generator=draw) < 0.1 + 0.8 * own).long()
        kept = torch.rand(n, generator=draw) < (1 + tied) / 2
        truth[:, -1] = torch.where(kept, y % 2, 1 - y % 2)
        x = truth.double() @ vectors + shared + spread * torch.randn(n, width, generator=draw, dtype=torch.float64)
        return Rows(x / x.norm(dim=1, keepdim=True), y), truth

    (train, told), (valid, _), (test, held) = part(correlation), part(correlation), part(0.0)
    noise = torch.randn(3 * concepts, width, generator=draw, dtype=torch.float64)
    words = Words([f"word {j}" for j in range(len(noise))], noise / noise.norm(dim=1, keepdim=True))
    prompts = Words([f"class {k}" for k in range(classes)], (vectors[:classes] + shared) / 2**0.5)
    return Embedded(train, valid, test, told, held, Words([f"concept {j}" for j in range(concepts)], vectors), prompts, words)
