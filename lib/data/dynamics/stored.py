"""Trajectories in a folder: numbers as float32 in x.safetensors, what is known of them in facts.json."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from lib.core.types import Trajectories

SHORT = 64  # numbers of a truth that facts.json shows; longer ones lie beside the snapshots
FILES = ("x.safetensors", "facts.json")


def write(folder: Path, data: Trajectories, settings: dict) -> None:
    """Store trajectories, with the settings that made them; the same data and settings give the same bytes.

    Errors: a truth that is no number, text, or tensor; NaN in a truth or a setting.
    """
    long = {f"truth.{k}": v for k, v in data.truth.items() if isinstance(v, Tensor) and v.numel() > SHORT}
    tensors = {"x": data.x.float()} | ({} if data.controls is None else {"controls": data.controls.float()}) | long
    shape = {"axes": "trajectories, snapshots, then what one snapshot is made of", "dt": data.dt}
    save_file(
        {k: v.contiguous() for k, v in tensors.items()},
        folder / "x.safetensors",
        metadata={"about": json.dumps(shape, sort_keys=True)},  # of several keys the order would differ from run to run
    )
    truth = {k: plain(k, v) for k, v in data.truth.items() if f"truth.{k}" not in long}
    facts = {"dt": data.dt, "shape": list(data.x.shape), "settings": settings, "truth": truth}
    (folder / "facts.json").write_text(json.dumps(facts, indent=2, sort_keys=True, allow_nan=False) + "\n")


def plain(name: str, value: object) -> object:
    """Return a truth as JSON can hold it; a tensor becomes its real part, and the imaginary one where there is any."""
    if isinstance(value, Tensor):
        return {"real": value.real.tolist()} | ({"imag": value.imag.tolist()} if value.is_complex() else {})
    if isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"the truth {name!r} is of type {type(value).__name__}; give a number, a text or a tensor")


def read(folder: Path) -> Trajectories:
    """Return what `write` stored, x and controls rounded to float32 and given as float64. Errors: a file that is not there."""
    for name in FILES:
        if not (folder / name).exists():
            raise FileNotFoundError(f"{folder / name} does not exist; `dvc repro` writes it")
    facts = json.loads((folder / "facts.json").read_text())
    with safe_open(folder / "x.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    truth = {name: tensor(value) if isinstance(value, dict) else value for name, value in facts["truth"].items()}
    truth |= {name.removeprefix("truth."): value for name, value in tensors.items() if name.startswith("truth.")}
    controls = tensors["controls"].double() if "controls" in tensors else None
    return Trajectories(tensors["x"].double(), facts["dt"], truth, controls)


def tensor(value: dict) -> Tensor:
    """Return the tensor that `plain` wrote down, in double precision."""
    real = torch.tensor(value["real"], dtype=torch.float64)
    return torch.complex(real, torch.tensor(value["imag"], dtype=torch.float64)) if "imag" in value else real
