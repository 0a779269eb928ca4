"""Objectives: terms(model, x, y, noise, *, options) -> Terms, one for each stacked member; loss = fit + beta * price."""

import inspect
from collections.abc import Callable
from functools import partial

from lib.bottlenecks.csib import cs_ib_misplaced_terms, cs_ib_sse_terms, cs_ib_terms
from lib.bottlenecks.hsic import hsic_terms
from lib.bottlenecks.nib import exp_nib_terms, nib_terms, square_nib_terms
from lib.bottlenecks.plain import plain_terms
from lib.bottlenecks.vib import vib_terms
from lib.bottlenecks.weight_decay import weight_decay_terms
from lib.core import checks
from lib.core.types import Terms

BOTTLENECKS = {
    "plain": plain_terms,
    "vib": vib_terms,
    "nib": nib_terms,
    "square_nib": square_nib_terms,
    "exp_nib": exp_nib_terms,
    "hsic": hsic_terms,
    "cs_ib": cs_ib_terms,
    "cs_ib_sse": cs_ib_sse_terms,
    "weight_decay": weight_decay_terms,
    "cs_ib_misplaced": cs_ib_misplaced_terms,
}


def chosen(label: str, settings: dict) -> tuple[Callable[..., Terms], list[float]]:
    """Return the objective and betas that a run's entry `label: {betas: [...], objective: name, options...}` asks for.

    The objective's name is the label unless given. Errors: an unknown objective, an option that it lacks, bad betas.
    """
    options = {key: value for key, value in settings.items() if key not in ("objective", "betas")}
    name = settings.get("objective", label)
    terms = checks.known(name, BOTTLENECKS, "objective")
    takes = [p.name for p in inspect.signature(terms).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if unknown := sorted(set(options) - set(takes)):
        raise ValueError(
            f"{label}: objective {name} has no option {unknown[0]}; it takes {takes or 'none'}, and every method betas"
        )
    betas = settings.get("betas")
    if (
        not isinstance(betas, list)
        or not betas
        or any(not isinstance(b, int | float) or isinstance(b, bool) or not b >= 0 for b in betas)
    ):
        raise ValueError(f"{label}: betas must be a list of numbers >= 0, got {betas!r}; beta is the weight of the price")
    return partial(terms, **options), [float(b) for b in betas]
