r"""Episodes of a curve of information over training, and whether one of them comes when the loss falls fastest.

A curve is smoothed by a fixed Savitzky-Golay filter; an episode is a swing of the smoothed curve that is larger than its noise
explains. Rising episodes are called fitting, falling ones compression. Times are numbers of records.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.signal import savgol_coeffs, savgol_filter

ORDER = 2  # of the polynomial that smooths


class Episode(NamedTuple):
    """A rise or a fall from one turning point to the next."""

    start: int
    stop: int
    change: float  # > 0: fitting, < 0: compression


def series(curve: Sequence[float]) -> np.ndarray:
    """Refuse anything but a finite series of at least 3 values."""
    values = np.asarray(curve, dtype=float)
    if values.ndim != 1 or len(values) < 3 or not np.isfinite(values).all():
        raise ValueError(f"a curve must hold at least 3 finite values, got shape {values.shape}; give one value a record")
    return values


def smooth(curve: Sequence[float], *, window: int) -> np.ndarray:
    """Return the curve smoothed by a quadratic fitted to `window` neighbouring records, (T,) -> (T,).

    Parabolas stay as they are, also at the ends. Errors: a window that is even, below 5 or longer than the curve.
    """
    values = series(curve)
    if window % 2 == 0 or not 5 <= window <= len(values):
        raise ValueError(f"window must be odd, at least 5 and at most the {len(values)} records, got {window}")
    return savgol_filter(values, window, ORDER, mode="interp")


def noise(curve: Sequence[float], *, window: int) -> float:
    """Return the standard deviation of white noise on the curve from what smoothing takes off.

    Off the ends a residual has variance s^2 (1 - c), c the middle weight of the filter.
    """
    residual = (series(curve) - smooth(curve, window=window))[window // 2 : len(curve) - window // 2]
    return math.sqrt(float(np.mean(residual**2)) / (1 - savgol_coeffs(window, ORDER)[window // 2]))


def episodes(curve: Sequence[float], *, least: float) -> list[Episode]:
    """Return the alternating swings of at least `least` between turning points, in order of time.

    A swing ends at its extreme as soon as the curve has come back from there by `least`; smaller ones belong to the swing that
    they interrupt.
    """
    values = series(curve)
    if not least > 0:
        raise ValueError(f"least must be > 0, got {least}; it is the smallest change that counts as an episode")
    turns, high, low, rising = [], 0, 0, None
    for now, value in enumerate(values):
        high = now if value > values[high] else high
        low = now if value < values[low] else low
        if rising is not False and values[high] - value >= least:
            turns.append(high)
            rising, low = False, now
        elif rising is not True and value - values[low] >= least:
            turns.append(low)
            rising, high = True, now
    if rising is not None:
        turns.append(high if rising else low)
    return [Episode(a, b, float(values[b] - values[a])) for a, b in pairwise(turns)]


def found(curve: Sequence[float], *, window: int, deviations: float) -> list[Episode]:
    """Return the episodes of the smoothed curve whose change is at least `deviations` standard deviations of the noise."""
    least = max(deviations * noise(curve, window=window), np.finfo(float).tiny)
    return episodes(smooth(curve, window=window), least=least)


def compressions(listed: list[Episode]) -> list[Episode]:
    """Return the episodes in which information falls."""
    return [episode for episode in listed if episode.change < 0]


def steepest_fall(curve: np.ndarray, *, start: int = 0, stop: int | None = None) -> int:
    """Return the record after which a curve falls most, between two records."""
    return start + int(np.argmin(np.diff(curve[start : None if stop is None else stop + 1])))


def distance(curve: np.ndarray, fall: int, *, least: float) -> int:
    """Return how many records lie between `fall` and the steepest point of the first compression of a smoothed curve.

    A curve without compression is as far away as the curve is long.
    """
    first = next(iter(compressions(episodes(curve, least=least))), None)
    return len(curve) if first is None else abs(steepest_fall(curve, start=first.start, stop=first.stop) - fall)


def rank_of_coincidence(curves: Sequence[Sequence[float]], loss: Sequence[float], *, window: int, deviations: float) -> float:
    r"""Return the rank in (0, 1) of how near first compressions come to the steepest fall of the loss, small if very near.

    Nearness is the mean of `distance` over the curves (one a layer) of one network. It is ranked among all circular shifts of
    the curves' increments against the loss, all layers by the same shift, as (nearer ones + half of those as near) / shifts.
    Shifted curves are searched anew, and a first compression is early there too. Where increments have no place in time,
    the rank is uniform up to ties. curves: (L, T), loss: (T,), not smoothed.
    """
    curves = [series(curve) for curve in curves]
    if len({len(c) for c in curves} | {len(series(loss))}) != 1:
        raise ValueError(f"curves of {[len(c) for c in curves]} records and a loss of {len(loss)}; give one record for each")
    fall = steepest_fall(smooth(loss, window=window))
    bars = [max(deviations * noise(curve, window=window), np.finfo(float).tiny) for curve in curves]

    def gap(shift: int) -> float:
        moved = [np.concatenate([[0.0], np.roll(np.diff(curve), shift).cumsum()]) for curve in curves]
        gaps = [distance(smooth(c, window=window), fall, least=b) for c, b in zip(moved, bars, strict=True)]
        return float(np.mean(gaps))

    gaps = np.array([gap(shift) for shift in range(len(loss) - 1)])
    return float(((gaps < gaps[0]).sum() + 0.5 * (gaps == gaps[0]).sum()) / len(gaps))


def chance(ranks: Sequence[float]) -> float:
    r"""Return the probability that n uniform ranks have a mean as small: sum_j (-1)^j C(n, j) (s - j)^n / n!, s their sum."""
    n, total = len(ranks), float(sum(ranks))
    if not n or not all(0 <= rank <= 1 for rank in ranks):
        raise ValueError(f"ranks must lie in [0, 1], at least one, got {list(ranks)}")
    terms = ((-1) ** j * math.comb(n, j) * (total - j) ** n for j in range(math.floor(total) + 1))
    return min(1.0, max(0.0, sum(terms) / math.factorial(n)))
