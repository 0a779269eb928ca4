"""Pictures of any mode and size as a backbone takes them; those that cannot be read are named, and skipped on request only."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

Item = str | Path | Image.Image | np.ndarray | Tensor
CORRUPT = ("refuse", "skip")


class Pictures(NamedTuple):
    """Pictures that could be read, ready for a backbone, and what became of the others."""

    x: Tensor  # (m, 3, h, w) float32, normalised
    kept: Tensor  # (m,) int64: which of those given
    corrupt: list[str]  # those that could not be read, with the reason


def read(items: Sequence[Item] | Tensor, transform: Callable[[Image.Image], Tensor], *, corrupt: str = "refuse") -> Pictures:
    """Read pictures and pass each through a backbone's transform.

    items: files, PIL images, arrays (h, w) or (h, w, 3) uint8, or tensors (c, h, w) with one or three channels, uint8, or
    floating in [0, 1]; a tensor (n, c, h, w) counts as n of them. Grey becomes RGB, sixteen bits become eight, and what is
    transparent is laid on white.
    Errors: a picture that cannot be read, unless `corrupt` is "skip"; none that can; shapes, types or values not named above.
    """
    if corrupt not in CORRUPT:
        raise ValueError(f"corrupt must be one of {', '.join(CORRUPT)}, got {corrupt!r}")
    if not len(items):
        raise ValueError("there are no pictures; give at least one")
    found, kept, lost = [], [], []
    for i, item in enumerate(items):
        try:
            found.append(transform(opened(item)))
            kept.append(i)
        except (OSError, UnidentifiedImageError, SyntaxError) as error:  # PIL raises the last for a broken PNG
            lost.append(f"{item if isinstance(item, str | Path) else f'picture {i}'} ({reason(error)})")
    if lost and corrupt == "refuse":
        raise ValueError(
            f"{len(lost)} of {len(items)} pictures cannot be read: {'; '.join(lost)}; mend or remove them, or skip them "
            'with pictures.read(..., corrupt="skip")'
        )
    if not found:
        raise ValueError(f"none of the {len(items)} pictures can be read: {'; '.join(lost)}")
    return Pictures(torch.stack(found), torch.tensor(kept), lost)


def reason(error: Exception) -> str:
    """Return why a picture cannot be read, in a few words."""
    return "not an image" if isinstance(error, UnidentifiedImageError) else str(error).split(":")[0]


def opened(item: Item) -> Image.Image:
    """Return one picture in RGB."""
    if isinstance(item, str | Path):
        with Image.open(item) as image:
            image.load()
            return rgb(image)
    if isinstance(item, Image.Image):
        return rgb(item)
    return rgb(Image.fromarray(pixels(item)))


def pixels(item: np.ndarray | Tensor) -> np.ndarray:
    """Return an array or tensor as (h, w) or (h, w, 3) uint8."""
    array = item
    if isinstance(item, Tensor):
        if item.ndim != 3 or item.shape[0] not in (1, 3):
            raise ValueError(f"a picture as a tensor must have shape (1 or 3, h, w), got {tuple(item.shape)}")
        array = item.detach().cpu().movedim(0, 2).squeeze(2).numpy()
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        shape = getattr(array, "shape", type(array).__name__)
        raise ValueError(f"a picture must be a file, a PIL image, an array (h, w[, 3]) or a tensor (c, h, w), got {shape}")
    if np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ValueError(
                f"floating pixels must be in [0, 1], got {array.min():g} to {array.max():g}; divide by 255 or clamp"
            )
        return np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8 or floating, got {array.dtype}; convert them")
    return array


def rgb(image: Image.Image) -> Image.Image:
    """Return the image in RGB: sixteen bits to eight by range, transparency on white, anything else by PIL."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, dtype=np.uint32) / 257).round().astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"an image of mode {image.mode} has no known range; scale it to 0..255 and convert it to mode L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
