"""Linear Koopman fits against kooplearn and PyDMD, at no larger error: fits timed, one-step errors of both in the text."""

import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from kooplearn.kernel import KernelRidge, NystroemKernelRidge
from kooplearn.linear_model import Ridge
from pydmd import DMD, EDMD, HankelDMD
from sklearn.preprocessing import PolynomialFeatures

from lib.core.types import Trajectories
from lib.koopman import LINEAR, dmd, edmd, kernel_edmd
from lib.koopman import dictionaries as d
from lib.koopman.linear import LinearKoopman, rollout
from lib.koopman.pairs import delays, windows
from tests.bench.harness import cpu_seconds, exponent, row
from tests.koopman.samples import lorenz

WIDTH = 1.5**0.5  # a kernel of gamma = 1 / 3, the libraries' default for three columns
KERNEL = {"kernel": "rbf", "gamma": 1 / 3, "alpha": 1e-6, "random_state": 0}


def split(n: int = 5000) -> tuple[Trajectories, np.ndarray, np.ndarray]:
    """Return n Lorenz snapshots, dt .01, the same for the libraries, and 1000 later ones."""
    x = lorenz(6000)
    return Trajectories(x[:, 5000 - n : 5000], 0.01, {}), x[0, 5000 - n : 5000].numpy(), x[0, 5000:].numpy()


def our_error(model: LinearKoopman, test: np.ndarray) -> float:
    """Return the one-step RMSE of a model over test snapshots."""
    seen = windows(Trajectories(torch.tensor(test)[None], 0.01, {}), length=model.delays + 1)
    start = seen[:, 0] if model.delays == 1 else seen[:, :-1]
    return (rollout(model, start, 1, mode="linear").x[:, 1] - seen[:, -1]).square().mean().sqrt().item()


def rmse(found: np.ndarray, test: np.ndarray) -> float:
    """Return the RMSE of the forecasts of the last len(found) test snapshots."""
    return float(np.sqrt(np.mean((found - test[-len(found) :]) ** 2)))


def versus(
    name: str,
    workload: str,
    peer: str,
    ours: Callable[[], LinearKoopman],
    theirs: Callable[[], object],
    error: Callable,
    *,
    repeats: int = 9,
) -> dict:
    """Return a row of the times and the one-step errors of two fits; `error` takes theirs."""
    test = split()[2]
    return faster(name, workload, peer, [ours, theirs], [our_error(ours(), test), error(theirs(), test)], repeats)


def faster(name: str, workload: str, peer: str, works: list[Callable], errors: list[float], repeats: int) -> dict:
    """Return a row of the times of two works, ours first, after our error was found not to exceed theirs by 5 %."""
    mine, other = errors
    assert mine <= 1.05 * other + 1e-9, f"{name}: one-step error {mine:.3e} against {other:.3e}"
    seconds = cpu_seconds(*works, repeats=repeats)
    text = f"{workload}, error {mine:.3g} against {other:.3g}, {seconds[0]:.3g} s against {seconds[1]:.3g} s"
    return row(name, text, peer, 1.0, seconds[1] / seconds[0])


def by_kooplearn(model: object, test: np.ndarray) -> float:
    """Return the one-step error of a kooplearn model of snapshots."""
    return rmse(model.predict(test[:-1]), test)


def by_late_kooplearn(model: object, test: np.ndarray) -> float:
    """Return the same of a kernel model, whose `predict` in 2.0.3 is one step late: one step gives back the present."""
    return rmse(model.predict(test[:-1], n_steps=2), test)


def of_polynomials(model: object, test: np.ndarray) -> float:
    """Return the one-step error of a kooplearn model of monomials, the constant first and then the coordinates."""
    return rmse(model.predict(PolynomialFeatures(3).fit_transform(test[:-1]))[:, 1:4], test)


def by_pydmd(model: object, test: np.ndarray) -> float:
    """Return the one-step error of a PyDMD model by its modes and eigenvalues, on delays where its rows have them."""
    count = len(model.modes) // 3
    seen = delays(Trajectories(torch.tensor(test)[None], 0.01, {}), count=count).x[0].numpy()
    step = (model.modes * model.eigs) @ np.linalg.pinv(model.modes)
    return rmse((seen[:-1] @ step.T).real[:, -3:], test)


def with_spectrum(model: object) -> object:
    """Return a kooplearn model with its eigenvalues found, as every fit of ours has them."""
    model.eig()
    return model


def linear_rows() -> list[dict]:
    """Compare DMD, Hankel-DMD and EDMD on monomials."""
    data, x, _ = split()
    cubic, size = PolynomialFeatures(3), "Lorenz, 5000 snapshots"
    ridge = {"reduced_rank": False, "alpha": 1e-12, "eigen_solver": "dense"}
    return [
        versus(
            "dmd", f"{size}, rank 3", "PyDMD DMD",
            partial(dmd, data, rank=3), lambda: DMD(svd_rank=3, exact=True).fit(x.T), by_pydmd,
        ),
        versus(
            "dmd-ridge", f"{size}, rank 3", "kooplearn Ridge",
            partial(dmd, data, rank=3), lambda: with_spectrum(Ridge(3, **ridge).fit(x)), by_kooplearn,
        ),
        versus(
            "dmd-hankel", f"{size}, 10 delays, rank 30", "PyDMD HankelDMD",
            partial(dmd, data, rank=30, delays=10), lambda: HankelDMD(svd_rank=30, exact=True, d=10).fit(x.T), by_pydmd,
        ),
        versus(
            "edmd", f"{size}, 20 monomials of degree 3", "kooplearn Ridge",
            partial(edmd, data, lift=d.monomials(3, degree=3)),
            lambda: with_spectrum(Ridge(20, **ridge).fit(cubic.fit_transform(x))), of_polynomials,
        ),
    ]  # fmt: skip


def kernel_row(method: str, rank: int, solver: str) -> dict:
    """Compare one exact kernel fit."""
    data, x, _ = split()
    theirs = KernelRidge(rank, reduced_rank=method == "rrr", eigen_solver=solver, **KERNEL)
    return versus(
        f"kernel-{method}-{rank}-{solver}", f"Lorenz, 5000 snapshots, rank {rank}", f"kooplearn KernelRidge, {solver}",
        partial(kernel_edmd, data, rank=rank, width=WIDTH, method=method), lambda: theirs.fit(x), by_late_kooplearn, repeats=1,
    )  # fmt: skip


def centres_row(rank: int, count: int) -> dict:
    """Compare fits on the centres that the library drew; errors are means of 6 draws, as one draw moves them by a third."""
    data, x, test = split()
    theirs = [NystroemKernelRidge(rank, n_centers=count, **KERNEL | {"random_state": s}).fit(x) for s in range(6)]
    centres = [torch.tensor(x[model.nys_centers_idxs_]) for model in theirs]
    ours = [partial(kernel_edmd, data, rank=rank, width=WIDTH, centres=drawn) for drawn in centres]
    mine = sum(our_error(fit(), test) for fit in ours) / 6
    other = sum(by_late_kooplearn(model, test) for model in theirs) / 6
    workload = f"Lorenz, 5000 snapshots, rank {rank}, {count} centres"
    return faster(f"nystroem-{rank}-{count}", workload, "kooplearn NystroemKernelRidge",
                  [ours[0], lambda: theirs[0].fit(x)], [mine, other], 9)  # fmt: skip


def pydmd_row() -> dict:
    """Compare with PyDMD's kernel EDMD, which is too slow to be run twice."""
    few, x, test = split(2000)
    ours = partial(kernel_edmd, few, rank=25, width=WIDTH, method="pcr")
    mine = cpu_seconds(ours, repeats=3)[0]
    begin = time.process_time()
    EDMD(svd_rank=25, kernel_metric="rbf", kernel_params={"gamma": 1 / 3}).fit(x.T)
    other = time.process_time() - begin
    text = f"Lorenz, 2000 snapshots, rank 25, error {our_error(ours(), test):.3g}, {mine:.3g} s against {other:.3g} s, run once"
    return row("kernel-pydmd", text, "PyDMD EDMD", 1.0, other / mine)


def kernel_rows() -> list[dict]:
    """Compare kernel fits, exact and on centres."""
    exact = [("pcr", 25, "arpack"), ("pcr", 25, "randomized"), ("rrr", 25, "arpack"), ("rrr", 100, "randomized")]
    return [kernel_row(*given) for given in exact] + [centres_row(25, 70), centres_row(100, 500), pydmd_row()]


def rows() -> list[dict]:
    """Compare every fit that a library has too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return linear_rows() + kernel_rows()


def growth() -> list[dict]:
    """Return how the cost of fits grows with the snapshots."""
    options = {"edmd": {"lift": d.monomials(3, degree=3)}, "kernel_edmd": {"rank": 25, "width": WIDTH}}
    found = []
    for name, given in options.items():
        sizes = [1250, 2500, 5000]
        seconds = cpu_seconds(*(partial(LINEAR[name], split(n)[0], **given) for n in sizes))
        found.append({"name": name, "sizes": sizes, "seconds": seconds, "exponent": exponent(sizes, seconds)})
    return found
