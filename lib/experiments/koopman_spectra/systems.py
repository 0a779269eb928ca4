"""Eigenvalues of linear Koopman fits beside known ones, as tables: which are true, which were made up, and what tells them.

Every function takes a seed, draws data from it, and judges on other trajectories, drawn from the seed + 1000.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics import DYNAMICS
from lib.koopman.dictionaries import joined, monomials, radial
from lib.koopman.dmd import METHODS, dmd, hankel_dmd
from lib.koopman.edmd import edmd
from lib.koopman.kernel import drawn_centres
from lib.koopman.linear import LinearKoopman
from lib.koopman.residual import residuals_on

FRESH = 1000  # added to a seed for the trajectories that judge
SAME = 1e-6  # rates that differ by less are one
SEEN = 1e-8  # directions whose share of the leading one is less are rounding


def both(system: str, seed: int, **options: object) -> tuple[Trajectories, Trajectories]:
    """Return trajectories of a system to fit, and as many others to judge by."""
    make = checks.known(system, DYNAMICS, "system")
    return make(seed=seed, **options), make(seed=seed + FRESH, **options)


def eigenpairs(model: LinearKoopman, fresh: Trajectories) -> pd.DataFrame:
    """Return a row for each eigenpair: real, imag, rate and turn = log(eigenvalue) / dt, residual on fresh trajectories."""
    values = model.eigenvalues
    rates = values.log() / model.dt
    columns = {"real": values.real, "imag": values.imag, "rate": rates.real, "turn": rates.imag}
    return pd.DataFrame({name: c.numpy() for name, c in columns.items()} | {"residual": residuals_on(model, fresh).numpy()})


def slow_manifold(seed: int, *, degrees: Sequence[int]) -> pd.DataFrame:
    """Return the eigenpairs of EDMD on the slow manifold: columns those of `eigenpairs`, and dictionary,
    gap to the nearest rate that the dictionary can have, true = no gap, known = how many such rates there are.

    Dictionaries: monomials of each degree; and x1, x2, x1^2, which suffice, with five superfluous Gaussian bumps.
    """
    data, fresh = both("slow_manifold", seed, trajectories=100, steps=50, dt=0.02)
    mu, decay, double = data.truth["rates"].tolist()
    lifts = {f"degree {d}": (monomials(2, degree=d), lattice(mu, decay, d)) for d in degrees}
    bumps = radial(drawn_centres(data, count=5, seed=seed), width=0.3)
    lifts["five superfluous"] = (joined(parabola, bumps), [mu, decay, double])
    found = []
    for name, (lift, known) in lifts.items():
        table = eigenpairs(edmd(data, lift=lift), fresh)
        gap = np.abs((table.rate + 1j * table.turn).to_numpy()[:, None] - np.array(known)).min(1)
        found.append(table.assign(dictionary=name, gap=gap, true=gap < SAME, known=len(known)))
    return pd.concat(found, ignore_index=True).assign(seed=seed)


def lattice(mu: float, decay: float, degree: int) -> list[float]:
    """Return the rates k mu + j decay, k + 2 j <= degree, whose eigenfunctions x1^k (x2 - b x1^2)^j have that degree."""
    return [k * mu + j * decay for j in range(degree // 2 + 1) for k in range(degree - 2 * j + 1)]


def parabola(x: Tensor) -> Tensor:
    """Return x1, x2 and x1^2, in which the slow manifold is linear."""
    return torch.cat([x, x[..., :1] ** 2], -1)


def noisy_rotation(seed: int, *, noises: Sequence[float], draws: int) -> pd.DataFrame:
    """Return |eigenvalue| less 0.99 of the turning pair of a linear system whose snapshots were measured with noise.

    Columns method, noise (standard deviation; starts have 1), draw, bias.
    """
    clean = DYNAMICS["linear"](trajectories=20, steps=50, dt=1.0, seed=seed)
    truth, generator, rows = clean.truth["spectrum"][0], torch.Generator().manual_seed(seed), []
    for noise in noises:
        for draw in range(draws):
            data = clean._replace(x=clean.x + noise * torch.randn(clean.x.shape, generator=generator, dtype=torch.float64))
            for method in METHODS:
                values = dmd(data, method=method).eigenvalues
                bias = float(values[(values - truth).abs().argmin()].abs() - truth.abs())
                rows.append({"seed": seed, "method": method, "noise": noise, "draw": draw, "bias": bias})
    return pd.DataFrame(rows)


def one_energy(seed: int, *, amplitudes: Sequence[float]) -> pd.DataFrame:
    """Return the angle of one step of pendulums that swing with one energy, by Hankel-DMD: columns amplitude, angle, truth."""
    rows = []
    for amplitude in amplitudes:
        data = DYNAMICS["pendulum"](trajectories=1, steps=400, dt=0.1, seed=seed, amplitudes=(amplitude, amplitude))
        truth = float(data.truth["angle"][0])
        angles = hankel_dmd(data, delays=20).eigenvalues.angle()
        angle = float(angles[(angles - truth).abs().argmin()])
        rows.append({"seed": seed, "amplitude": amplitude, "angle": angle, "truth": truth})
    return pd.DataFrame(rows)


def many_energies(seed: int, *, delays: Sequence[int]) -> pd.DataFrame:
    """Return the eigenpairs of Hankel-DMD on pendulums of amplitudes 0.3 to 2.4, by delays, with the band of true angles."""
    data, fresh = both("pendulum", seed, trajectories=50, steps=200, dt=0.1, amplitudes=(0.3, 2.4))
    low, high = float(data.truth["angle"].min()), float(data.truth["angle"].max())
    models = {d: hankel_dmd(data, delays=d, rank=directions(data, delays=d)) for d in delays}
    found = [eigenpairs(model, fresh).assign(delays=d) for d, model in models.items()]
    table = pd.concat(found, ignore_index=True)
    return table.assign(angle=table.turn * data.dt, low=low, high=high, seed=seed)


def directions(data: Trajectories, *, delays: int) -> int:
    """Return how many singular values of delayed snapshots (B, T, n) exceed SEEN of the largest.

    Eigenvalues of what is smaller would be those of rounding errors, others on every processor.
    """
    sizes = torch.linalg.svdvals(data.x.unfold(1, delays, 1)[:, :-1].flatten(2).flatten(0, 1))
    return int((sizes > SEEN * sizes[0]).sum())


def widest_gap(angles: Sequence[float], low: float, high: float) -> float:
    """Return the widest gap that angles leave in a band, as a share of it; 1 where none lies within."""
    inside = sorted(a for a in angles if low < a < high)
    return float(np.diff([low, *inside, high]).max() / (high - low))


def duffing(seed: int, *, degrees: Sequence[int]) -> pd.DataFrame:
    """Return the eigenpairs of EDMD on Duffing's oscillator by degree and part of the data, with their distance from a well's.

    Parts: "both wells"; "one basin", whole trajectories that end at q = 1; "one well", their last 3 units of time of 10.
    """
    data, fresh = both("duffing", seed, trajectories=100, steps=200, dt=0.05)
    well, found = complex(data.truth["at_wells"][0]), []
    for part, kept in (("both wells", slice(None)), ("one basin", slice(None)), ("one well", slice(-60, None))):
        train, test = (d if part == "both wells" else d._replace(x=d.x[d.truth["basin"] > 0][:, kept]) for d in (data, fresh))
        for degree in degrees:
            table = eigenpairs(edmd(train, lift=monomials(2, degree=degree)), test)
            distance = np.abs(table.rate + 1j * table.turn.abs() - (well.real + 1j * abs(well.imag)))
            found.append(table.assign(part=part, degree=degree, distance=distance))
    return pd.concat(found, ignore_index=True).assign(seed=seed)
