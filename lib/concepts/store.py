"""Tensors by the hash of what they were computed from: each is computed once, and a crash leaves a whole file or none."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor


def digest(*parts: str | Tensor) -> str:
    """Return the sha256 of texts and tensors' bytes, one after the other."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode() if isinstance(part, str) else bytes_of(part))
    return found.hexdigest()


def bytes_of(x: Tensor) -> memoryview:
    """Return the bytes of a tensor of any type, row by row."""
    return x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


def remembered(path: Path, compute: Callable[[], Tensor]) -> Tensor:
    """Return the tensor stored at a path, or compute and store it; a damaged file counts as none."""
    if path.exists():
        try:
            return load_file(path)["x"]
        except SafetensorError:
            path.unlink()
    found = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    save_file({"x": found}, part)
    os.replace(part, path)
    return found
