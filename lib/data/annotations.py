"""Data sets by what people, or a rule, say of each image: attributes, 0 or 1, and a class. No pixel is needed."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import label
from torch import Tensor

from lib.core import checks
from lib.data.embedded import images
from lib.data.sources import fetch

BLOCKS = 4  # a digit is looked at in 4 x 4 parts
INK = 1 / 3  # of the darkest: at a half thin strokes of 8 x 8 digits break, and most zeros have no hole
COMMON = 10  # classes that an attribute of birds must be common in


class Annotated(NamedTuple):
    """Images by their attributes."""

    truth: Tensor  # (n, L) int64, 0 or 1
    concepts: list[str]  # L
    y: Tensor  # (n,) int64
    classes: list[str]  # K


def coded(attributes: pd.DataFrame, classes: pd.Series) -> Annotated:
    """Return a column for each value of each attribute; of two values the later in order stands for both."""
    columns = {}
    for name in attributes:
        values = sorted(attributes[name].unique())
        for value in values[1:] if len(values) == 2 else values:
            columns[f"{name.replace('_', ' ')}: {value}"] = (attributes[name] == value).to_numpy(np.int64)
    y, names = pd.factorize(classes, sort=True)
    truth = torch.from_numpy(np.stack(list(columns.values()), 1))
    return Annotated(truth, list(columns), torch.from_numpy(y.astype(np.int64)), [str(name) for name in names])


def wbcatt(raw: Path) -> Annotated:
    """10 298 white blood cells of five kinds by eleven attributes of their shape and colour. Source: [tsutsui2023wbcatt]."""
    frame = pd.concat([pd.read_csv(path) for path in fetch("wbcatt").values()], ignore_index=True)
    return coded(frame.drop(columns=["img_name", "label", "path"]), frame.label)


def derm7pt(raw: Path) -> Annotated:
    """1 011 skin lesions by the seven criteria of a checklist; diagnoses of fewer than 20 cases are one class.

    The table is a reduced copy of the original. Source: [kawahara2019seven].
    """
    frame = pd.read_csv(fetch("derm7pt_meta")["meta.csv"], keep_default_na=False)
    many = frame.diagnosis.map(frame.diagnosis.value_counts()) >= 20
    return coded(frame.drop(columns=["diagnosis", "derm"]), frame.diagnosis.where(many, "other"))


def cub(raw: Path) -> Annotated:
    """11 788 birds of 200 species by attributes of their species, 0 or 1 by majority of its images.

    Kept are attributes of at least ten species, as in concept bottleneck models; all images of a species have the same.
    Source: [wah2011caltech] [koh2020concept].
    """
    files = fetch("cub200_meta")
    share = np.loadtxt(files["class_attribute_labels_continuous.txt"]) / 100
    species = np.loadtxt(files["image_class_labels.txt"], dtype=np.int64)[:, 1] - 1
    has, names = share >= 0.5, files["classes.txt"].read_text().split()[1::2]
    kept = np.flatnonzero(has.sum(0) >= COMMON)
    truth = torch.from_numpy(has[:, kept].astype(np.int64))[species]
    return Annotated(truth, [f"attribute {j + 1}" for j in kept], torch.from_numpy(species), names)


def digits(raw: Path) -> Annotated:
    """1 797 digits of 8 x 8 by where their ink is and how many holes it has: attributes measured, not judged."""
    return inked(*images(raw, "digits"))


def mnist_digits(raw: Path) -> Annotated:
    """5 000 digits of 28 x 28 by the same."""
    return inked(*images(raw, "mnist_digits"))


def inked(pictures: np.ndarray, labels: np.ndarray) -> Annotated:
    """Return which of 4 x 4 parts of a picture (n, h, w) have more ink than the mean part, and whether it has one hole, or two.

    Ink is what exceeds a third of the darkest; a hole is paper that does not touch the border, neighbours by edge or corner of
    ink enclosing it. Errors: sides that 4 does not divide.
    """
    n, h, w = pictures.shape
    if h % BLOCKS or w % BLOCKS:
        raise ValueError(f"pictures are {h} x {w}; sides must be multiples of {BLOCKS}, crop or pad them")
    parts = pictures.reshape(n, BLOCKS, h // BLOCKS, BLOCKS, w // BLOCKS).mean((2, 4)).reshape(n, -1)
    full = parts > parts.mean(1, keepdims=True)
    count = np.array([holes(picture > INK * picture.max()) for picture in pictures])
    truth = np.concatenate([full, (count == 1)[:, None], (count >= 2)[:, None]], 1).astype(np.int64)
    places = [f"ink in row {i + 1}, column {j + 1}" for i in range(BLOCKS) for j in range(BLOCKS)]
    y = torch.from_numpy(labels.astype(np.int64))
    return Annotated(torch.from_numpy(truth), [*places, "one hole", "two holes"], y, [str(k) for k in range(10)])


def holes(ink: np.ndarray) -> int:
    """Return the number of parts of the paper that ink (h, w) encloses; parts touch by edges."""
    return label(np.pad(~ink, 1, constant_values=True))[1] - 1


ANNOTATED: dict[str, Callable[[Path], Annotated]] = {
    "digits": digits,
    "mnist_digits": mnist_digits,
    "wbcatt": wbcatt,
    "derm7pt": derm7pt,
    "cub": cub,
}


def annotated(name: str, raw: Path) -> Annotated:
    """Return a set by name; those that do not ship with the repository are fetched."""
    return checks.known(name, ANNOTATED, "annotated set")(raw)
