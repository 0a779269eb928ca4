"""What a training stage leaves: tables, weights, and enough to build its networks again."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from safetensors.torch import load_file, save_file
from torch import Tensor

from lib import runs
from lib.bottlenecks import chosen
from lib.nets import Bottleneck
from lib.train import Members, score
from lib.types import Split, Terms


class Trained(NamedTuple):
    """One method of a run: who was trained, by which objective, and the stacked networks."""

    members: Members
    terms: Callable[..., Terms]
    model: Bottleneck


def build(label: str, settings: dict, *, seeds: list[int], inputs: int, outputs: int, shape: dict) -> Trained:
    """Return untrained networks, one for each seed and beta, for a run's entry `label: {betas: [...], options...}`."""
    terms, betas = chosen(label, settings)
    stacked = [seed for seed in seeds for _ in betas]
    return Trained(Members(label, seeds, betas), terms, Bottleneck(stacked, inputs, outputs, shape))


def scores(method: Trained, split: Split, best_epoch: Tensor) -> pd.DataFrame:
    """Return a row for each member with its miss on every part: mean squared error in standard units, or nats."""
    members = method.members
    names = [{"method": members.method, "seed": seed, "beta": beta} for seed in members.seeds for beta in members.betas]
    parts = {part: score(method.model, method.terms, getattr(split, part), members).tolist() for part in Split._fields}
    return pd.DataFrame(names).assign(best_epoch=best_epoch.tolist(), **parts)


def write(folder: Path, facts: dict, methods: dict[str, Trained]) -> None:
    """Store the selected weights of every method beside the facts from which `read` builds the networks again."""
    weights = {f"{label}/{name}": w.contiguous() for label, m in methods.items() for name, w in m.model.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    runs.write_json(folder / "run.json", facts)


def read(folder: Path) -> tuple[dict, dict[str, Trained]]:
    """Return a run's facts and its trained methods."""
    facts, methods = runs.read_json(folder / "run.json"), {}
    weights = load_file(folder / "weights.safetensors")
    for label, settings in facts["methods"].items():
        sizes = {name: facts[name] for name in ("seeds", "inputs", "outputs", "shape")}
        methods[label] = build(label, settings, **sizes)
        own = {name.removeprefix(f"{label}/"): w for name, w in weights.items() if name.startswith(f"{label}/")}
        methods[label].model.load_state_dict(own)
    return facts, methods


def film(folder: Path) -> dict[str, Tensor]:
    """Return the weights that a run of one method kept over time, name -> (epochs, R, ...)."""
    path = folder / "film.safetensors"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; set `snapshots: true` in the run's plan to measure layers over time")
    return load_file(path)
