"""Concepts that were published for data sets: sentences of language models, by class or as one filtered list."""

import json
from pathlib import Path

from lib.core import checks
from lib.data.addresses import LABO_CIFAR10
from lib.data.sources import fetch

LABEL_FREE, VLG, LABO = "concepts_label_free_cbm", "concepts_vlg_cbm", "concepts_labo"
BY_CLASS = {
    "label-free CIFAR-10": (LABEL_FREE, "gpt3_cifar10_important.json"),
    "label-free CUB": (LABEL_FREE, "gpt3_cub_important.json"),
    "VLG CIFAR-10": (VLG, "cifar10_per_class.json"),
    "VLG CUB": (VLG, "cub_per_class.json"),
    "LaBo CIFAR-10": (LABO, LABO_CIFAR10),
    "LaBo CUB": (LABO, "selected_concepts__CUB.json"),
}
FILTERED = {
    "label-free CIFAR-10": (LABEL_FREE, "cifar10_filtered.txt"),
    "label-free CUB": (LABEL_FREE, "cub_filtered.txt"),
    "VLG CIFAR-10": (VLG, "cifar10_filtered.txt"),
    "VLG CUB": (VLG, "cub_filtered.txt"),
}


def by_class(name: str) -> dict[str, list[str]]:
    """Return class -> sentences of a published set, each class's own without blank or repeated ones, in their order.

    Source: [oikarinen2023label] [srivastava2024vlg] [yang2023language].
    """
    source, file = checks.known(name, BY_CLASS, "published set of concepts by class")
    return read_classes(fetch(source, [file])[file])


def filtered(name: str) -> list[str]:
    """Return the concepts that a published filter has left of a set."""
    source, file = checks.known(name, FILTERED, "published list of concepts")
    return distinct(fetch(source, [file])[file].read_text().splitlines())


def read_classes(path: Path) -> dict[str, list[str]]:
    """Read a file of class -> list of sentences. Errors: another shape; a class without a sentence."""
    found = json.loads(path.read_text())
    if not isinstance(found, dict) or not all(isinstance(said, list) for said in found.values()):
        raise ValueError(f"{path} must hold an object of lists, class -> sentences, got {type(found).__name__}; see BY_CLASS")
    made = {name: distinct(said) for name, said in found.items()}
    if bare := [name for name, said in made.items() if not said]:
        raise ValueError(f"{path} has no sentence for {', '.join(bare)}; add one or remove the class")
    return made


def distinct(sentences: list[str]) -> list[str]:
    """Return sentences without blank ones and without those that differ from an earlier one in case or spaces alone."""
    kept: dict[str, str] = {}
    for sentence in sentences:
        plain = " ".join(str(sentence).lower().split())
        if plain:
            kept.setdefault(plain, " ".join(str(sentence).split()))
    return list(kept.values())
