"""How a run trains: its plan, checked before anything starts."""

import math
from typing import NamedTuple

import torch

from lib.core import checks


class Plan(NamedTuple):
    """What every method of a run is given alike."""

    epochs: int
    batch: int
    lr: float
    select: str = "validation"  # keep the weights of the best recorded validation score, or of the "last" epoch
    clip: float = math.inf  # largest gradient norm of a member
    records: int = 50  # epochs at which scores are taken
    snapshots: bool = False  # keep the weights of those epochs, which then lie evenly in log epoch
    on_divergence: str = "refuse"  # or "record": a member that diverges is an outcome


def planned(settings: dict) -> Plan:
    """Return the plan that a run's settings describe, refusing names it does not have and numbers that cannot be."""
    plan = checks.filled(Plan, settings, "a plan")
    checks.counted(plan.epochs, "epochs"), checks.counted(plan.batch, "batch", least=2), checks.counted(plan.records, "records")
    checks.positive(plan.lr, "lr")
    checks.known(plan.select, {"validation": 0, "last": 0}, "select")
    checks.known(plan.on_divergence, {"refuse": 0, "record": 0}, "on_divergence")
    if not plan.clip > 0:
        raise ValueError(f"clip must be > 0, got {plan.clip}; .inf leaves gradients as they are")
    return plan


def epochs_recorded(plan: Plan) -> list[int]:
    """Return the epochs at which scores are taken, the last among them: evenly spaced, or in log epoch with snapshots."""
    even = torch.linspace(plan.epochs, 1, min(plan.records, plan.epochs), dtype=torch.float64)
    log = torch.logspace(math.log10(plan.epochs), 0, plan.records, dtype=torch.float64)
    return (log if plan.snapshots else even).round().long().unique().tolist()
