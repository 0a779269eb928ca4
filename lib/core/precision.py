"""In which precision networks train: that of torch's default, which a notebook sets by its scale before it computes."""

import torch
from torch import Tensor


def floats(scale: str) -> torch.dtype:
    """Return double at the smoke scale, whose outputs are compared on every processor, and single at the others.

    Training grows a rounding error ten thousandfold and more. Of single precision it then shows in the third digit that is
    printed, and processors round in their own ways; of double precision it shows in the twelfth.
    """
    return torch.float64 if scale == "smoke" else torch.float32


def usual(x: Tensor) -> Tensor:
    """Return x in torch's default precision, which is that of networks built now."""
    return x.to(torch.get_default_dtype())
