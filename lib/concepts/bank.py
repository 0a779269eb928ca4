"""A bank of concepts: names, the sentences that mean them, their directions, and which backbone made these."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from lib.concepts.clip import Backbone
from lib.core import checks

NORMALISATIONS = ("unit", "raw")


class Bank(NamedTuple):
    """Concepts as directions in one backbone's space."""

    names: list[str]  # m
    texts: list[list[str]]  # the sentences of each
    vectors: Tensor  # (m, d) float32
    backbone: str  # fingerprint of the backbone that embedded the sentences
    normalisation: str  # unit: the mean of unit rows, made unit again; raw: the mean of rows as they come
    flagged: dict[str, str]  # concepts that hold the name of a class as whole words -> that name


def bank(
    backbone: Backbone,
    concepts: dict[str, list[str]] | Sequence[str],
    *,
    normalisation: str = "unit",
    classes: Sequence[str] = (),
) -> Bank:
    """Embed concepts: names that are their own sentence, or name -> sentences of which the mean is taken.

    A concept that holds a class's name gives the answer away; it is flagged, not refused.
    Errors: no concepts; blank or repeated ones (case and spaces do not count); a concept without sentences.
    """
    if normalisation not in NORMALISATIONS:
        raise ValueError(f"normalisation must be one of {', '.join(NORMALISATIONS)}, got {normalisation!r}")
    names = list(concepts)
    distinct(names)
    texts = [list(concepts[name]) if isinstance(concepts, dict) else [name] for name in names]
    if bare := [name for name, said in zip(names, texts, strict=True) if not said]:
        raise ValueError(f"the concept {bare[0]!r} has no sentence; give it at least one")
    rows = backbone.embed_texts([text for said in texts for text in said], unit=normalisation == "unit")
    vectors = torch.stack([part.mean(0) for part in rows.split([len(said) for said in texts])])
    if normalisation == "unit":
        vectors = torch.nn.functional.normalize(vectors, dim=1)
    return Bank(names, texts, vectors, backbone.fingerprint, normalisation, named_classes(names, classes))


def distinct(names: Sequence[str]) -> None:
    """Refuse names of concepts that are none, blank, or the same but for case and spaces."""
    if isinstance(names, str) or not names:
        raise ValueError(f"concepts must be a list of at least one name, got {names!r}")
    seen: dict[str, str] = {}
    for name in names:
        plain = " ".join(str(name).lower().split())
        if not isinstance(name, str) or not plain:
            raise ValueError(f"{name!r} is no concept; remove it")
        if plain in seen:
            raise ValueError(f"the concept {name!r} is given twice, first as {seen[plain]!r}; keep one")
        seen[plain] = name


def named_classes(names: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Return concept -> class for concepts that hold a class's name, in the singular or plural, as whole words."""
    forms = {label: re.compile(rf"\b{re.escape(label.lower())}(e?s)?\b") for label in classes}
    return {name: label for name in names for label, form in forms.items() if form.search(name.lower())}


def scores(concepts: Bank, x: Tensor, *, backbone: str) -> Tensor:
    """Return the product of every embedding with every concept, (n, d) -> (n, m); cosines where both are unit rows.

    backbone: the fingerprint of what embedded x. Errors: another backbone than the bank's, even of the same width.
    """
    checks.single(x, "x")
    if backbone != concepts.backbone:
        raise ValueError(
            f"the bank was made by backbone {concepts.backbone[:12]} and the embeddings by {backbone[:12]}; "
            "embed the pictures by the bank's backbone, or make the bank anew"
        )
    if x.shape[1] != concepts.vectors.shape[1]:
        raise ValueError(f"x has {x.shape[1]} columns and the bank {concepts.vectors.shape[1]}; give embeddings, not features")
    return x @ concepts.vectors.T


def write(path: Path, concepts: Bank) -> None:
    """Store a bank in one file of safetensors; the same bank gives the same bytes."""
    facts = json.dumps({name: value for name, value in concepts._asdict().items() if name != "vectors"}, sort_keys=True)
    save_file({"vectors": concepts.vectors.contiguous()}, path, {"bank": facts})


def read(path: Path) -> Bank:
    """Return a stored bank. Errors: a file that is not there."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; `bank.write` makes it")
    with safe_open(path, "pt") as file:
        return Bank(vectors=file.get_tensor("vectors"), **json.loads(file.metadata()["bank"]))
