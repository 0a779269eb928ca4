"""Systems that are linear, or become so in finitely many observables: their spectra are known to the last digit."""

import math

import torch
from scipy.linalg import solve_discrete_lyapunov
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics.integrate import asked, uniform

TURNING, TURN, FAST = 0.99, 0.3, (0.9, 0.5)  # eigenvalues of one unit of time: 0.99 e^(+-0.3i), 0.9 and 0.5


def linear(*, trajectories: int, steps: int, dt: float, seed: int, noise: float = 0.0) -> Trajectories:
    r"""Return x' = x K + noise N(0, I), four columns, K of eigenvalues 0.99^dt e^(+-0.3i dt), 0.9^dt, 0.5^dt, turned at random.

    x: (B, steps + 1, 4). Without noise a start is standard normal; with it, a draw of the stationary law.
    truth: "operator" K (4, 4) of one step, "spectrum" (4,) complex; with noise also "covariance" C = K^T C K + noise^2 I of the
    stationary law (4, 4) and "mi" = I(x_t; x_(t+1)) in nats.
    """
    asked(trajectories, steps, dt)
    if not noise >= 0:
        raise ValueError(f"noise must be >= 0, got {noise}; it is a standard deviation")
    generator = torch.Generator().manual_seed(seed)
    k, spectrum = operator(dt, generator)
    c = covariance(k, noise) if noise else torch.eye(4, dtype=torch.float64)
    x = [torch.randn(trajectories, 4, generator=generator, dtype=torch.float64) @ torch.linalg.cholesky(c).T]
    for _ in range(steps):
        kick = torch.randn(trajectories, 4, generator=generator, dtype=torch.float64)
        x.append(x[-1] @ k + noise * kick)
    truth = {"operator": k, "spectrum": spectrum}
    if noise:
        truth |= {"covariance": c, "mi": chain_information(k, noise, c)}
    return Trajectories(torch.stack(x, 1), dt, truth)


def operator(dt: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the matrix of one step in a random orthonormal basis, and its eigenvalues."""
    size, angle = TURNING**dt, TURN * dt
    k = torch.diag(torch.tensor([0.0, 0.0, FAST[0] ** dt, FAST[1] ** dt], dtype=torch.float64))
    k[:2, :2] = size * torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]], dtype=k.dtype)
    basis = torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=torch.float64)).Q
    pair = size * complex(math.cos(angle), math.sin(angle))
    spectrum = [pair, pair.conjugate(), FAST[0] ** dt, FAST[1] ** dt]
    return basis.T @ k @ basis, torch.tensor(spectrum, dtype=torch.complex128)


def covariance(k: Tensor, noise: float) -> Tensor:
    """Return C = K^T C K + noise^2 I, the stationary covariance of x' = x K + noise N(0, I); spectral radius of K below 1."""
    return torch.from_numpy(solve_discrete_lyapunov(k.T.numpy(), noise**2 * torch.eye(len(k), dtype=k.dtype).numpy()))


def chain_information(k: Tensor, noise: float, start: Tensor, *, lag: int = 1) -> float:
    r"""Return I(x_t; x_(t+lag)) in nats of x' = x K + noise N(0, I), x_t normal of covariance C = `start`.

    (log|M + G| - log|M|) / 2, G = (K^n)^T C K^n and M = noise^2 sum over i < n of (K^i)^T K^i. k, start: (d, d).
    Assumes noise > 0: without it the information is infinite. Source: [cheng2026information], eq. (7).
    """
    checks.positive(noise, "noise"), checks.counted(lag, "lag")
    power, m = torch.eye(len(k), dtype=k.dtype), torch.zeros_like(k)
    for _ in range(lag):
        m, power = m + noise**2 * power.T @ power, power @ k
    return 0.5 * float(torch.logdet(m + power.T @ start @ power) - torch.logdet(m))


def slow_manifold(
    *, trajectories: int, steps: int, dt: float, seed: int, mu: float = -0.05, decay: float = -1.0
) -> Trajectories:
    r"""Return the exact flow of x1' = mu x1, x2' = decay (x2 - x1^2), which a parabola attracts; starts in [-1/2, 1/2]^2.

    (x1, x2, x1^2) evolves linearly. x: (B, steps + 1, 2). truth: "rates" (mu, decay, 2 mu), "spectrum" e^(rate dt) (3,).
    Errors: decay = 2 mu, where the parabola and the decay onto it resonate. Source: [lusch2018deep].
    """
    asked(trajectories, steps, dt)
    if decay == 2 * mu:
        raise ValueError(f"decay = 2 mu = {decay} is resonant and has no parabola; change either")
    start = uniform(trajectories, 2, low=-0.5, high=0.5, generator=torch.Generator().manual_seed(seed))
    x1, x2 = start[:, :1], start[:, 1:]
    t, bend = dt * torch.arange(steps + 1, dtype=torch.float64), decay / (2 * mu - decay)
    first = x1 * (mu * t).exp()  # (B, T)
    second = (x2 + bend * x1**2) * (decay * t).exp() - bend * first**2
    rates = torch.tensor([mu, decay, 2 * mu], dtype=torch.float64)
    return Trajectories(
        torch.stack([first, second], 2), dt, {"rates": rates, "spectrum": (rates * dt).exp().to(torch.complex128)}
    )
