"""How a benchmark is measured: agreement first, then both sides by turns, one thread, CPU seconds, medians."""

import statistics
import time
from collections.abc import Callable

import torch

from pipelines.reporting.provenance import machine

Work = Callable[[], object]


def cpu_seconds(*works: Work, repeats: int = 5) -> list[float]:
    """Return the median CPU time of each work, all run by turns after one round to warm up."""
    for work in works:
        work()
    taken = [[] for _ in works]
    for _ in range(repeats):
        for work, times in zip(works, taken, strict=True):
            begin = time.process_time()
            work()
            times.append(time.process_time() - begin)
    return [statistics.median(times) for times in taken]


def row(name: str, workload: str, peer: str, bar: float, ratio: float | None) -> dict:
    """Return what was found; a peer that is not there has no ratio, and its bar does not hold."""
    found = {"ratio": None if ratio is None else round(ratio, 2), "bar": bar, "holds": ratio is not None and ratio >= bar}
    where = f"{machine()}, {torch.get_num_threads()} threads"
    return {"name": name, "workload": workload, "peer": peer, "machine": where} | found


def compare(
    name: str,
    workload: str,
    peer: str,
    bar: float,
    ours: Work,
    theirs: Work,
    *,
    tolerance: float | None = None,
    repeats: int = 5,
) -> dict:
    """Return a row with their time over ours, the peer first made to agree with us where a relative tolerance is given.

    Errors: AssertionError where the two disagree, for a fast wrong answer is no answer.
    """
    if tolerance is not None:
        got, want = (torch.as_tensor(work(), dtype=torch.float64) for work in (ours, theirs))
        assert torch.allclose(got, want, rtol=tolerance, atol=tolerance * float(want.abs().max())), (
            f"{name}: {got} is not {want}"
        )
    mine, other = cpu_seconds(ours, theirs, repeats=repeats)
    return row(name, workload, peer, bar, other / mine)


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Return the slope of log time over log size by least squares: cost grows as n to this power."""
    n, t = (torch.tensor(values, dtype=torch.float64).log() for values in (sizes, seconds))
    return float(((n - n.mean()) * (t - t.mean())).sum() / (n - n.mean()).square().sum())
