"""One large run over several processes: each takes its share of every batch, and DDP takes the mean of their gradients."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lib.core.types import Rows, Terms
from lib.nets.stacked import Bottleneck

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Objective = Callable[[Bottleneck, Tensor, Tensor, Tensor], Terms]


class Step(torch.nn.Module):
    """Model and objective as one forward pass, which is what DDP can watch."""

    def __init__(self, model: Bottleneck, terms: Objective) -> None:
        super().__init__()
        self.model, self.terms = model, terms

    def forward(self, x: Tensor, y: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return fit and price of every member, each (R,)."""
        step = self.terms(self.model, x, y, noise)
        return step.fit, step.price


def many_devices(accelerator: str, *, devices: int, nodes: int = 1) -> "Fabric":
    """Return Fabric with a process a device by DDP, over gloo on CPUs; torchrun or SLURM may have started the processes."""
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
    strategy = DDPStrategy(find_unused_parameters=True)  # a plain network leaves its code's variance alone
    return Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy)


def share(rows: tuple[Tensor, ...], rank: int, processes: int) -> tuple[Tensor, ...]:
    """Return every process's own rows of tensors (R, n, ...): those whose number leaves its rank, modulo the processes."""
    return tuple(z[:, rank::processes] for z in rows)


@torch.no_grad()
def check(model: Bottleneck, terms: Objective, part: Rows, *, label: str, betas: int, batch: int, processes: int) -> None:
    """Refuse what several processes cannot share: an uneven batch, and terms that are no mean over rows.

    Of terms that are, the mean over shares of equal size is the value on all rows; of those that compare rows in pairs, or add
    rows up, it is another number, and so would be what DDP trains. Tried on the first batch, as the networks are.
    part: (S, n, d), a row of networks for each beta. Errors: ValueError.
    """
    if processes == 1:
        return
    if batch % processes:
        raise ValueError(f"a batch of {batch} rows cannot be shared by {processes} processes; choose a multiple")
    x, y = (z[:, :batch].repeat_interleave(betas, 0) for z in part)
    noise = torch.randn(*x.shape[:2], model.code_size, generator=torch.Generator().manual_seed(0)).to(x)
    whole = torch.stack(terms(model, x, y, noise)[:2])
    parts = [torch.stack(terms(model, *share((x, y, noise), rank, processes))[:2]) for rank in range(processes)]
    if not torch.allclose(whole, torch.stack(parts).mean(0), rtol=1e-4, atol=1e-6):
        raise ValueError(
            f"{label} compares rows in pairs or adds them up, so that {processes} processes, each with its share of a batch, "
            "would train something else; train it by one process"
        )
