"""How good a forecast, a field, a statistic or a spectrum is: each definition in full, since names alone do not settle them.

Forecasts and truths are (B, S, ...), step 0 being the start that both share.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from lib.core import checks
from lib.koopman.linear import MODES

WELL = 1e-7  # what The Well adds to a variance


def nrmse(forecast: Tensor, truth: Tensor, *, norm: str, horizons: list[int]) -> Tensor:
    """Return sqrt(mean (forecast - truth)^2) / size at each horizon, (len(horizons),), the mean over trajectories and numbers.

    size: of the whole truth, "std" (about the mean of each number), "rms" or "range" (largest less least); one number for all,
    so standardise numbers of unlike units first.
    """
    size = checks.known(norm, NORMS, "norm")(alike(forecast, truth))
    steps = [checks.counted(h, "horizon", least=0) for h in horizons]
    if not steps or max(steps) >= truth.shape[1]:
        raise ValueError(f"horizons must lie within the {truth.shape[1] - 1} steps of the forecast, got {horizons}")
    if not size > 0:
        raise ValueError(f"the {norm} of the truth is {size:g}, which is no size; a constant truth wants no normalised error")
    return (forecast - truth)[:, steps].square().transpose(0, 1).flatten(1).mean(1).sqrt() / size


def spread(truth: Tensor) -> Tensor:
    """Return the standard deviation about the mean of each number, (B, S, ...) -> ()."""
    return (truth - truth.mean((0, 1))).square().mean().sqrt()


NORMS = {"std": spread, "rms": lambda truth: truth.square().mean().sqrt(), "range": lambda truth: truth.max() - truth.min()}


def table(forecast: Tensor, truth: Tensor, *, mode: str, norm: str, horizons: list[int]) -> list[dict]:
    """Return one row a horizon: {"horizon", "nrmse", "norm", "mode"}; mode is that of the rollout, and has no default."""
    checks.known(mode, MODES, "mode of a rollout")
    found = nrmse(forecast, truth, norm=norm, horizons=horizons).tolist()
    return [{"horizon": h, "nrmse": value, "norm": norm, "mode": mode} for h, value in zip(horizons, found, strict=True)]


def rrmse(forecast: Tensor, truth: Tensor) -> Tensor:
    """Return |forecast - truth| / |truth| of each snapshot, (B, S, ...) -> (B, S)."""
    size = torch.linalg.vector_norm(alike(forecast, truth).flatten(2), dim=2)
    if (size == 0).any():
        raise ValueError("a snapshot of the truth is 0 everywhere, and has no relative error; leave it out or use nrmse")
    return torch.linalg.vector_norm((forecast - truth).flatten(2), dim=2) / size


def vrmse(forecast: Tensor, truth: Tensor, *, spatial: int) -> Tensor:
    """Return sqrt(mean (forecast - truth)^2 / (var truth + 1e-7)) over the last `spatial` axes, (..., space) -> (...).

    The variance is the unbiased one, as in The Well: forecasting the mean of a field of N values scores sqrt(1 - 1 / N).
    Source: [ohana2024well].
    """
    axes = tuple(range(-checks.counted(spatial, "spatial"), 0))
    return ((forecast - alike(forecast, truth)).square().mean(axes) / (truth.var(axes) + WELL)).sqrt()


def ssim(x: Tensor, y: Tensor, *, data_range: float | None = None, width: float = 1.5) -> Tensor:
    r"""Return the mean over windows of (2 m_x m_y + c1)(2 s_xy + c2) / ((m_x^2 + m_y^2 + c1)(s_x^2 + s_y^2 + c2)).

    Windows are Gaussian with standard deviation `width`, cut at 3.5 widths, and lie wholly inside; c1 = (0.01 L)^2 and
    c2 = (0.03 L)^2, L = data_range or, if None, the range of each frame of y, the truth. (..., H, W) -> (...); 1 for equal
    frames. Source: [wang2004image].
    """
    alike(x, y, least=2)
    half = int(3.5 * checks.positive(width, "width") + 0.5)
    if min(y.shape[-2:]) <= 2 * half:
        raise ValueError(f"frames must have more than {2 * half} pixels a side at width {width}, got {tuple(y.shape[-2:])}")
    span = y.amax((-2, -1)) - y.amin((-2, -1)) if data_range is None else torch.full(y.shape[:-2], data_range).to(y)
    if not (span > 0).all():
        raise ValueError("a frame of the truth is constant, and has no range; give data_range")
    ramp = torch.exp(-torch.arange(-half, half + 1).to(y).square() / (2 * width**2))
    window = torch.outer(ramp, ramp)[None, None] / ramp.sum() ** 2
    frames = torch.stack([x, y, x * x, y * y, x * y]).reshape(-1, 1, *y.shape[-2:])
    mx, my, xx, yy, xy = conv2d(frames, window).reshape(5, *y.shape[:-2], y.shape[-2] - 2 * half, y.shape[-1] - 2 * half)
    c1, c2 = ((k * span[..., None, None]).square() for k in (0.01, 0.03))
    top = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    return (top / ((mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2))).mean((-2, -1))


def valid_prediction_time(forecast: Tensor, truth: Tensor, *, dt: float, exponent: float, threshold: float = 0.4) -> Tensor:
    """Return the time before rms(forecast - truth) / spread first exceeds `threshold`, in Lyapunov times 1 / exponent, (B,).

    A forecast that stays within gets the whole length, which is then a lower bound. Source: [vlachas2020backpropagation].
    """
    checks.positive(dt, "dt"), checks.positive(exponent, "exponent"), checks.positive(threshold, "threshold")
    off = (forecast - alike(forecast, truth)).flatten(2).square().mean(2).sqrt() > threshold * spread(truth)
    steps = torch.where(off.any(1), off.int().argmax(1) - 1, truth.shape[1] - 1).clamp_min(0)
    return steps * dt * exponent


def kl_histogram(sample: Tensor, truth: Tensor, *, bins: int, pseudo: float = 0.5) -> Tensor:
    """Return KL(truth; sample) in nats between joint histograms, (n, d) and (m, d) -> ().

    Each axis has `bins` equal cells over the range of the truth, and one cell takes all that lies outside. `pseudo` is added
    to the count of each cell that the truth or the sample visits, so that a cell missed by the sample costs much and not all.
    """
    checks.comparable(sample, truth, names=("sample", "truth"))
    checks.counted(bins, "bins"), checks.positive(pseudo, "pseudo")
    low, high = truth.amin(0), truth.amax(0)
    if not (high > low).all():
        raise ValueError("a column of the truth is constant, and has no bins; drop it")
    codes = [cells(z, low, high, bins) for z in (truth, sample)]
    visited, index = torch.cat(codes).unique(dim=0, return_inverse=True)
    counts = [torch.bincount(part, minlength=len(visited)) + pseudo for part in index.split([len(truth), len(sample)])]
    p, q = (count.double() / count.sum() for count in counts)
    return (p * (p / q).log()).sum()


def cells(z: Tensor, low: Tensor, high: Tensor, bins: int) -> Tensor:
    """Return the cell of each row, (n, d) integers, all -1 outside."""
    code = ((z - low) / (high - low) * bins).long().clamp_max(bins - 1)
    inside = ((z >= low) & (z <= high)).all(1, keepdim=True)
    return torch.where(inside, code, -1)


def radial_spectrum(fields: Tensor) -> Tensor:
    """Return the mean power |fft / (H W)|^2 over wave vectors of rounded length 0 to min(H, W) // 2, (..., H, W) -> (..., K).

    Powers of all wave vectors, not only these, sum to the mean square of a field.
    """
    if fields.ndim < 2:
        raise ValueError(f"fields must have shape (..., H, W), got {tuple(fields.shape)}")
    h, w = fields.shape[-2:]
    power = torch.fft.fft2(fields, norm="forward").abs().square().flatten(-2)
    ky, kx = (torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in (h, w))
    shell = (ky[:, None].square() + kx.square()).sqrt().round().long().flatten().to(fields.device)
    most = min(h, w) // 2
    kept = shell <= most
    total = power.new_zeros(*power.shape[:-1], most + 1).index_add_(-1, shell[kept], power[..., kept])
    return total / torch.bincount(shell[kept], minlength=most + 1)


def spectrum_error(forecast: Tensor, truth: Tensor) -> Tensor:
    """Return sum_k |E(k) - E'(k)| / sum_k E(k) of radial spectra averaged over all frames, (..., H, W) -> ()."""
    made, real = (radial_spectrum(z).flatten(0, -2).mean(0) for z in (forecast, truth))
    if made.shape != real.shape:
        raise ValueError(f"forecast and truth must share a grid, got {tuple(forecast.shape)} and {tuple(truth.shape)}")
    return (made - real).abs().sum() / real.sum()


def hausdorff(estimate: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest distance from a reference value to the estimates, then from an estimate to the references.

    (k,) and (m,) complex. The first is large where a true eigenvalue was missed, the second where one was made up.
    """
    for name, values in (("estimate", estimate), ("reference", reference)):
        if values.ndim != 1 or len(values) == 0:
            raise ValueError(f"{name} must be a vector of eigenvalues, got shape {tuple(values.shape)}")
    gaps = (estimate[:, None].to(torch.complex128) - reference.to(torch.complex128)).abs()
    return gaps.amin(0).max(), gaps.amin(1).max()


def effective_dimension(z: Tensor) -> Tensor:
    """Return exp(-sum p log p), p the eigenvalues of the covariance of z (..., n, d) over their sum: 1 to d, (...)."""
    checks.enough(checks.matrix(z, "z"), "z", 2)
    size = torch.linalg.svdvals(z - z.mean(-2, keepdim=True)).square()
    p = size / size.sum(-1, keepdim=True)
    return torch.special.entr(p).sum(-1).exp()


def unit_circle_share(eigenvalues: Tensor, *, within: float) -> float:
    """Return the share of eigenvalues whose modulus differs from 1 by at most `within`."""
    return ((eigenvalues.abs() - 1).abs() <= checks.positive(within, "within")).double().mean().item()


def alike(forecast: Tensor, truth: Tensor, *, least: int = 3) -> Tensor:
    """Refuse a forecast and a truth of unlike shapes, or a forecast that is not finite, and return the truth."""
    if forecast.shape != truth.shape or truth.ndim < least:
        wish = "(B, S, ...)" if least > 2 else "(..., H, W)"
        raise ValueError(f"forecast and truth must both be {wish}, got {tuple(forecast.shape)} and {tuple(truth.shape)}")
    if not (forecast.isfinite().all() and truth.isfinite().all()):
        raise ValueError("forecast or truth holds NaN or infinite values; stop it where its rollout says that it left")
    return truth
