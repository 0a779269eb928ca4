"""Kernel fits against each other, against brute force and against an independent library."""

import pytest
import torch

from lib.core.types import Trajectories
from lib.koopman import dictionaries as d
from lib.koopman import edmd, kernel_edmd
from lib.koopman.kernel import drawn_centres, features
from lib.koopman.linear import rollout
from lib.koopman.metrics import hausdorff
from lib.koopman.residual import residuals_on
from tests.koopman.samples import kernel, lorenz
from tests.samples import normal


def test_pivots_give_the_kernel_of_all_snapshots(attractor):
    x = attractor.x[0]
    chosen, to, psi = features(attractor, 1.2, 1e-6, None)
    assert torch.allclose(kernel(x, chosen, 1.2) @ to, psi, atol=1e-7)
    left = (kernel(x, x, 1.2) - psi @ psi.T).diagonal()
    assert left.min() > -1e-9 and left.mean() < 1e-9 and len(chosen) < 400


# With N ridge and all N x N matrices, as the definitions have it.


def by_definition(data, rank, width, ridge, method):
    x, y = data.x[:, :-1].flatten(0, 1), data.x[:, 1:].flatten(0, 1)
    own, cross, later = kernel(x, x, width), kernel(y, x, width), kernel(y, y, width)
    shifted = own + len(x) * ridge * torch.eye(len(x), dtype=torch.float64)
    if method == "pcr":
        size, u = (z[..., -rank:] for z in torch.linalg.eigh(own))
        return torch.linalg.eigvals(u.T @ cross @ u / (size + len(x) * ridge)[:, None])
    values, alpha = torch.linalg.eig(torch.linalg.solve(shifted, later @ own))
    alpha = alpha[:, values.real.argsort(descending=True)[:rank]].real
    alpha = alpha / (alpha * (own @ shifted @ alpha)).sum(0).sqrt()
    return torch.linalg.eigvals(alpha.T @ own @ cross @ alpha)


@pytest.mark.parametrize("method", ["pcr", "rrr"])
def test_kernel_fits_are_their_definition(method):
    data = Trajectories(lorenz(160)[:, ::8], 0.08, {})
    found = kernel_edmd(data, rank=5, width=1.0, ridge=1e-4, method=method)
    wanted = by_definition(data, 5, 1.0, 1e-4, method)
    assert max(hausdorff(found.eigenvalues, wanted)) < 1e-6


@pytest.mark.parametrize(("rank", "agree"), [(30, True), (5, False)])
def test_both_regressions_agree_at_full_rank(rank, agree):
    data = Trajectories(normal(6, 6, 2, seed=0), 1.0, {})
    models = [kernel_edmd(data, rank=rank, width=0.3, ridge=1e-3, method=method) for method in ("pcr", "rrr")]
    a, b = (rollout(model, data.x[:, 0] + 0.1, 1, mode="linear").x for model in models)
    assert torch.allclose(a, b, atol=1e-8 if agree else 1e-3) is agree


@pytest.mark.parametrize("method", ["pcr", "rrr"])
def test_all_snapshots_for_centres_are_the_exact_fit(method):
    data = Trajectories(lorenz(160)[:, ::8], 0.08, {})
    options = {"rank": 5, "width": 1.0, "ridge": 1e-4, "method": method}
    exact = kernel_edmd(data, **options)
    every = kernel_edmd(data, **options, centres=drawn_centres(data, count=20, seed=0))
    few = kernel_edmd(data, **options, centres=drawn_centres(data, count=6, seed=0))
    assert max(hausdorff(every.eigenvalues, exact.eigenvalues)) < 1e-6
    assert max(hausdorff(few.eigenvalues, exact.eigenvalues)) > 1e-3


def test_a_kernel_explains_its_own_pairs_too_well(attractor):
    first, second = (attractor._replace(x=attractor.x[:, part]) for part in (slice(300), slice(600, 900)))
    model = kernel_edmd(first, rank=20, width=0.5, ridge=1e-9)
    assert residuals_on(model, first).median() < 0.5 * residuals_on(model, second).median()


def test_kooplearn_agrees_on_kernels_and_on_polynomials(attractor):
    kernels, linear = pytest.importorskip("kooplearn.kernel"), pytest.importorskip("kooplearn.linear_model")
    x, ours = attractor.x[0, :400].numpy(), attractor._replace(x=attractor.x[:, :400])
    for reduced, method in ((False, "pcr"), (True, "rrr")):
        theirs = kernels.KernelRidge(8, kernel="rbf", gamma=1 / 3, alpha=1e-6, reduced_rank=reduced, eigen_solver="dense").fit(
            x
        )
        found = kernel_edmd(ours, rank=8, width=1.5**0.5, ridge=1e-6, method=method).eigenvalues
        assert max(hausdorff(found, torch.tensor(theirs.eig()))) < 1e-6
    lifted = d.monomials(3, degree=2)
    theirs = linear.Ridge(10, reduced_rank=False, alpha=1e-6, eigen_solver="dense").fit(lifted(attractor.x[0, :400]).numpy())
    assert max(hausdorff(edmd(ours, lift=lifted, ridge=1e-6).eigenvalues, torch.tensor(theirs.eig()))) < 1e-6


WIDE = {"rank": 2, "width": 1.0}


# What is refused.

REFUSED = {
    "rank": (lambda x: kernel_edmd(x, rank=2000, width=1.0), "rank 2000 wants as many pairs of snapshots, got 1199"),
    "features": (lambda x: kernel_edmd(x, rank=500, width=50.0), "rank 500 is more than the .* features of these data"),
    "width": (lambda x: kernel_edmd(x, rank=5, width=0.0), "width must be a positive finite number"),
    "ridge": (lambda x: kernel_edmd(x, **WIDE, ridge=0.0), "ridge must be a positive finite number"),
    "method": (lambda x: kernel_edmd(x, **WIDE, method="best"), "unknown method of kernel EDMD 'best'; known: pcr, rrr"),
    "centres": (lambda x: kernel_edmd(x, **WIDE, centres=normal(4, 2, seed=0)), "centres has 2 columns and snapshots 3"),
    "count": (lambda x: drawn_centres(x, count=2000, seed=0), "count 2000 is more than the 1200 snapshots"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message, attractor):
    with pytest.raises(ValueError, match=message):
        call(attractor)


def test_a_kernel_that_would_not_fit_is_refused_with_its_memory(attractor, monkeypatch):
    monkeypatch.setattr("lib.koopman.kernel.MEMORY_BUDGET", 2**20)
    with pytest.raises(ValueError, match=r"1200 snapshots need more than \d+ features, 0.0 GiB; give centres"):
        kernel_edmd(attractor, rank=2, width=0.2)
