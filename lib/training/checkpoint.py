"""What a training run must remember to go on, bit for bit, where it was stopped."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


class Progress:
    """Weights, optimiser, generators, the best weights so far, snapshots and history of a run."""

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, generators: list[torch.Generator], members: int
    ) -> None:
        self.model, self.optimizer, self.generators = model, optimizer, generators
        self.epoch = 0
        self.history: list[dict] = []
        self.best = copied(model)
        self.best_score = torch.full((members,), torch.inf)
        self.best_epoch = torch.zeros(members, dtype=torch.int64)
        self.snapshots: list[dict[str, Tensor]] = []

    def keep(self, better: Tensor, score: Tensor) -> None:
        """Remember the present weights of the members that are better than before."""
        for name, value in self.model.state_dict().items():
            self.best[name][better] = value[better]
        self.best_score = torch.where(better, score, self.best_score)
        self.best_epoch[better] = self.epoch

    def snapshot(self) -> None:
        """Remember the present weights of all members."""
        self.snapshots.append(copied(self.model))

    def film(self) -> dict[str, Tensor]:
        """Return the snapshots stacked, weight name -> (snapshots, R, ...)."""
        return {name: torch.stack([s[name] for s in self.snapshots]) for name in self.snapshots[0]} if self.snapshots else {}

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor of the state under a name."""
        found = {f"model.{k}": v for k, v in self.model.state_dict().items()} | {f"best.{k}": v for k, v in self.best.items()}
        for i, moments in self.optimizer.state_dict()["state"].items():
            found |= {f"adam.{i}.{k}": v for k, v in moments.items()}
        for i, weights in enumerate(self.snapshots):
            found |= {f"snapshot.{i}.{k}": v for k, v in weights.items()}
        found |= {f"generator.{i}": g.get_state() for i, g in enumerate(self.generators)}
        return found | {"best_score": self.best_score, "best_epoch": self.best_epoch}

    def fingerprint(self, settings: tuple, rows: Iterable[Tensor]) -> str:
        """Return what must be equal for a checkpoint to be gone on from: settings, network, training rows and this code."""
        parts = [f"{settings} {[tuple(p.shape) for p in self.model.parameters()]}".encode()]
        parts += [z.cpu().numpy().tobytes() for z in rows]
        parts += [path.read_bytes() for path in sorted(Path(__file__).parents[1].rglob("*.py"))]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def save(self, path: Path, fingerprint: str) -> None:
        """Write one file under a temporary name, then put it in place; a crash leaves the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = {"epoch": self.epoch, "history": self.history, "fingerprint": fingerprint}
        part = path.with_suffix(".part")
        save_file({k: v.contiguous() for k, v in self.tensors().items()}, part, {"facts": json.dumps(facts)})
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)

    def load(self, path: Path, fingerprint: str) -> bool:
        """Take up the state in `path` if there is one and it belongs to the same settings; return whether it did."""
        if not path.exists():
            return False
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            if facts["fingerprint"] != fingerprint:
                return False
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        self.epoch, self.history = facts["epoch"], facts["history"]
        self.model.load_state_dict(under("model", found))
        self.best = {name: w.to(self.best[name].device) for name, w in under("best", found).items()}
        self.best_score, self.best_epoch = found["best_score"], found["best_epoch"]
        moments: dict[int, dict] = {}
        for name, value in under("adam", found).items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        for i, generator in enumerate(self.generators):
            generator.set_state(found[f"generator.{i}"])
        taken = sum(name.startswith("snapshot.") for name in found) // len(self.best)
        films = [under(f"snapshot.{i}", found) for i in range(taken)]
        self.snapshots = [{name: w.to(self.best[name].device) for name, w in film.items()} for film in films]
        return True


def copied(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def under(prefix: str, found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose name starts with the prefix, without it."""
    return {name.removeprefix(f"{prefix}."): value for name, value in found.items() if name.startswith(f"{prefix}.")}
