"""What a training stage leaves: tables, weights, and enough to build its networks again."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lib.bottlenecks import chosen
from lib.core.plan import planned
from lib.core.processes import each
from lib.core.types import Split, Terms
from lib.data import prepared
from lib.nets.stacked import Bottleneck
from lib.training.loop import Members, fit, one_device, score
from lib.workbook import runs

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Trained(NamedTuple):
    """One method of a run: who was trained, by which objective, and the stacked networks."""

    members: Members
    terms: Callable[..., Terms]
    model: Bottleneck


class Outcome(NamedTuple):
    """What training one method gives, in arrays, which a worker can hand to its parent."""

    history: pd.DataFrame  # a row for each member at each recorded epoch
    scores: pd.DataFrame  # a row for each member
    epochs: list[int]  # those recorded
    weights: dict[str, np.ndarray]  # the selected ones, name -> (R, ...)
    film: dict[str, np.ndarray]  # those kept over time, name -> (epochs, R, ...)


def build(label: str, settings: dict, *, seeds: list[int], inputs: int, outputs: int, shape: dict) -> Trained:
    """Return untrained networks, one for each seed and beta, for a run's entry `label: {betas: [...], options...}`."""
    terms, betas = chosen(label, settings)
    stacked = [seed for seed in seeds for _ in betas]
    return Trained(Members(label, seeds, betas), terms, Bottleneck(stacked, inputs, outputs, shape))


def fit_all(data: Path, facts: dict, *, accelerator: str, checkpoints: str, workers: int | None = None) -> dict[str, Outcome]:
    """Train every method of a run on a prepared data set, methods spread over worker processes, and return what each gives.

    facts: seeds, inputs, outputs, shape, methods and plan of the run; checkpoints: where a method's file goes, with {label}.
    workers=None takes one a free core, or one for an accelerator. Errors: those of `build`, `planned` and `fit`.
    """
    planned(facts["plan"])
    for label in facts["methods"]:
        untrained(facts, label)
    one = partial(fit_one, data, facts, accelerator, checkpoints)
    workers = workers or (None if accelerator == "cpu" else 1)
    return dict(zip(facts["methods"], each(one, facts["methods"], workers=workers), strict=True))


def fit_one(data: Path, facts: dict, accelerator: str, checkpoints: str, label: str) -> Outcome:
    """Train one method of a run and score what it selected."""
    fabric, split = one_device(accelerator), prepared.read(data, facts["seeds"]).split
    split = Split(*(type(part)(*fabric.to_device(tuple(part))) for part in split))
    return fit_one_on(fabric, split, facts, label, Path(checkpoints.format(label=label)))


def fit_one_on(fabric: "Fabric", split: Split, facts: dict, label: str, path: Path | None) -> Outcome:
    """Train one method of a run on a split that lies on the fabric's device, with a checkpoint file or without."""
    method = untrained(facts, label)
    done = fit(fabric, method.model, method.terms, split, planned(facts["plan"]), method.members, checkpoint=path)
    history, found = pd.DataFrame(done.history).assign(method=label), scores(method, split, done.best_epoch)
    return Outcome(history, found, done.epochs, arrays(method.model.state_dict()), arrays(done.snapshots))


def untrained(facts: dict, label: str) -> Trained:
    """Return one method of a run as it is before training."""
    return build(label, facts["methods"][label], **{name: facts[name] for name in ("seeds", "inputs", "outputs", "shape")})


def scores(method: Trained, split: Split, best_epoch: Tensor) -> pd.DataFrame:
    """Return a row for each member with its miss on every part: mean squared error in standard units, or nats."""
    members = method.members
    names = [{"method": members.method, "seed": seed, "beta": beta} for seed in members.seeds for beta in members.betas]
    parts = {part: score(method.model, method.terms, getattr(split, part), members).tolist() for part in Split._fields}
    return pd.DataFrame(names).assign(best_epoch=best_epoch.tolist(), **parts)


def write(folder: Path, facts: dict, outcomes: dict[str, Outcome]) -> None:
    """Store tables and the selected weights of every method beside the facts from which `read` builds the networks again.

    The weights that a run of one method kept over time are stored as well.
    """
    for name in ("history", "scores"):
        table = pd.concat([getattr(done, name) for done in outcomes.values()], ignore_index=True)
        table.to_parquet(folder / f"{name}.parquet", index=False)
    weights = {f"{label}/{name}": w for label, done in outcomes.items() for name, w in tensors(done.weights).items()}
    save_file(weights, folder / "weights.safetensors")
    if films := [done.film for done in outcomes.values() if done.film]:
        (kept,) = films
        save_file(tensors(kept), folder / "film.safetensors")
    runs.write_json(folder / "run.json", facts | {"epochs": {label: done.epochs for label, done in outcomes.items()}})


def arrays(weights: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Return tensors as arrays."""
    return {name: w.cpu().numpy() for name, w in weights.items()}


def tensors(weights: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Return arrays as contiguous tensors."""
    return {name: torch.from_numpy(w).contiguous() for name, w in weights.items()}


def read(folder: Path) -> tuple[dict, dict[str, Trained]]:
    """Return a run's facts and its trained methods."""
    facts, methods = runs.read_json(folder / "run.json"), {}
    weights = load_file(folder / "weights.safetensors")
    for label in facts["methods"]:
        methods[label] = untrained(facts, label)
        own = {name.removeprefix(f"{label}/"): w for name, w in weights.items() if name.startswith(f"{label}/")}
        methods[label].model.load_state_dict(own)
    return facts, methods


def film(folder: Path) -> dict[str, Tensor]:
    """Return the weights that a run of one method kept over time, name -> (epochs, R, ...)."""
    path = folder / "film.safetensors"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; set `snapshots: true` in the run's plan to measure layers over time")
    return load_file(path)
