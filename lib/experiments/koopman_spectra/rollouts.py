"""Forecasts of linear Koopman fits: errors of Lorenz's system in both modes, and models kept in pieces, pair by pair."""

from collections.abc import Sequence

import pandas as pd
import torch

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics import DYNAMICS
from lib.experiments.koopman_spectra.systems import FRESH, both
from lib.koopman.dictionaries import monomials
from lib.koopman.dmd import dmd, hankel_dmd
from lib.koopman.edmd import edmd
from lib.koopman.linear import MODES, LinearKoopman, rollout
from lib.koopman.metrics import nrmse, valid_prediction_time
from lib.koopman.modes import Pieces, forecast, taken_apart

HORIZONS = (5, 20, 50)


def standardised(train: Trajectories, *others: Trajectories) -> list[Trajectories]:
    """Return trajectories in units of the first's means and standard deviations."""
    mean, spread = train.x.mean((0, 1)), train.x.std((0, 1))
    return [d._replace(x=(d.x - mean) / spread) for d in (train, *others)]


def lorenz(seed: int, *, degrees: dict[float, Sequence[int]], pairs: int, starts: int) -> pd.DataFrame:
    """Return errors of EDMD with monomials on Lorenz's system by dt, degree, rollout mode and steps.

    degrees: dt -> degrees. pairs: of the one training trajectory. Columns dt, degree, mode, steps, nrmse (of the spread of all
    starts), median (of one start's), lost = share of starts that left three times the training range within the steps, and
    valid = mean valid prediction time in Lyapunov times, whose ceiling is `longest`.
    """
    rows = []
    for dt, wanted in degrees.items():
        length = max(HORIZONS[-1], round(4 / dt))
        train = DYNAMICS["lorenz"](trajectories=1, steps=pairs, dt=dt, seed=seed)
        train, test = standardised(train, DYNAMICS["lorenz"](trajectories=starts, steps=length, dt=dt, seed=seed + FRESH))
        for degree in wanted:
            model = edmd(train, lift=monomials(3, degree=degree))
            rows += [{"seed": seed, "dt": dt, "degree": degree} | row for row in scored(model, test)]
    return pd.DataFrame(rows)


def scored(model: LinearKoopman, test: Trajectories) -> list[dict]:
    """Return one row for each rollout mode and horizon."""
    exponent, rows = 1 / test.truth["lyapunov_time"], []
    for mode in MODES:
        made = rollout(model, test.x[:, 0], test.x.shape[1] - 1, mode=mode)
        valid = valid_prediction_time(made.x, test.x, dt=test.dt, exponent=exponent).mean().item()
        facts = {"mode": mode, "valid": valid, "longest": (test.x.shape[1] - 1) * test.dt * exponent}
        for steps, error in zip(HORIZONS, nrmse(made.x, test.x, norm="std", horizons=list(HORIZONS)).tolist(), strict=True):
            lost = ((made.left_at >= 0) & (made.left_at <= steps)).double().mean().item()
            each = (made.x - test.x)[:, steps].square().mean(1).sqrt() / test.x.std()
            rows.append(facts | {"steps": steps, "nrmse": error, "median": each.median().item(), "lost": lost})
    return rows


def models(seed: int) -> dict[str, Pieces]:
    """Return models to look at, by system."""
    found = {}
    data, fresh = both("slow_manifold", seed, trajectories=100, steps=50, dt=0.02)
    found["slow manifold, degree 4"] = taken_apart(edmd(data, lift=monomials(2, degree=4)), fresh, steps=50)
    data, fresh = both("pendulum", seed, trajectories=50, steps=200, dt=0.1, amplitudes=(0.3, 2.4))
    found["pendulum, 20 delays"] = taken_apart(hankel_dmd(data, delays=20), fresh, steps=100)
    data, fresh = both("duffing", seed, trajectories=100, steps=100, dt=0.05)
    found["Duffing, degree 7"] = taken_apart(edmd(data, lift=monomials(2, degree=7)), fresh, steps=100)
    data, fresh = both("lorenz", seed, trajectories=1, steps=5000, dt=0.01)
    data, fresh = standardised(data, fresh)
    found["Lorenz, degree 5"] = taken_apart(edmd(data, lift=monomials(3, degree=5)), fresh, steps=100)
    return found


def field(data: Trajectories, *, rank: int, steps: int) -> Pieces:
    """Return the pieces of DMD of one trajectory of fields (1, T, ...), fitted to all but its last `steps` snapshots.

    Residuals and forecast are of these last ones, which the fit has not seen.
    """
    if data.x.shape[1] <= 2 * checks.counted(steps, "steps"):
        raise ValueError(f"{data.x.shape[1]} snapshots are too few to hold back {steps}; give at least {2 * steps + 1}")
    model = dmd(data._replace(x=data.x[:1, :-steps]), rank=rank)
    return taken_apart(model, data._replace(x=data.x[:1, -steps - 1 :]), steps=steps)


def rhythm(pieces: Pieces, truth: float) -> dict[str, float]:
    """Return the angle of the eigenvalue nearest e^(i truth), its modulus and residual, and the error of the whole forecast."""
    best = int((pieces.values - torch.exp(torch.tensor(1j * truth))).abs().argmin())
    value, seen = pieces.values[best], pieces.truth.flatten(1)
    miss = forecast(pieces, torch.ones(len(pieces.values), dtype=torch.bool), len(seen) - 1) - seen[1:]
    error = miss.square().mean().sqrt() / (seen - seen.mean(0)).square().mean().sqrt()
    found = {"angle": value.angle(), "modulus": value.abs(), "residual": pieces.residuals[best], "error": error}
    return {"truth": truth} | {name: float(v) for name, v in found.items()}


def rhythms(data: Trajectories, *, ranks: Sequence[int], steps: int) -> pd.DataFrame:
    """Return `rhythm` of DMD of each trajectory of fields, whose truth has its "angle": columns flow and rank before it."""
    rows = []
    for flow, angle in enumerate(data.truth["angle"].tolist()):
        one = data._replace(x=data.x[flow : flow + 1])
        rows += [{"flow": flow, "rank": r} | rhythm(field(one, rank=r, steps=steps), angle) for r in ranks]
    return pd.DataFrame(rows)
