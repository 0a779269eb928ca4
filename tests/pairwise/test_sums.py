"""The pairwise primitive against dense float64 sums, finite differences, far, shifted and narrow data, memory and itself."""

import json
import subprocess
import sys

import pytest
import torch
from scipy.spatial.distance import pdist

from lib.pairwise import sums
from lib.pairwise.sums import log_row_sums, median_distance, row_sums, squared_distances
from tests import ROOT
from tests.memory import ENVIRONMENT, measured
from tests.samples import normal


def dense(u, v=None):
    """Distances one by one in float64: slow, plain, and true."""
    v = u if v is None else v
    return (-(u.double()[..., :, None, :] - v.double()[..., None, :, :]).square().sum(-1) / 2).exp().sum(-1)


def slope(f, *inputs, weights):
    """Gradients of a weighted sum of f's rows, one for each input."""
    leaves = [z.detach().clone().requires_grad_() for z in inputs]
    return torch.autograd.grad((f(*leaves) * weights).sum(), leaves)


@pytest.fixture(params=["whole", "tiled"])
def engine(request, monkeypatch):
    """Each test that asks for it runs with all pairs at once and with tiles, whatever the size."""
    monkeypatch.setattr(sums, "WHOLE_BYTES", {"whole": 2**40, "tiled": 0}[request.param])


# Sizes on both sides of one tile, a ragged last tile, several members a tile.
SHAPES = [(7, 1), (363, 2), (900, 3), (1500, 8), (5, 40, 3), (2, 2, 60, 5), (30, 128, 10), (3, 700, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("pair", [False, True], ids=["self", "cross"])
def test_values_and_gradients_are_the_dense_ones(shape, pair, engine):
    inputs = (normal(*shape, seed=0), 0.5 + normal(*shape[:-2], shape[-2] // 2 + 1, shape[-1], seed=1))[: 1 + pair]
    weights = normal(*shape[:-1], seed=2)
    torch.testing.assert_close(row_sums(*inputs), dense(*inputs), rtol=1e-12, atol=0)
    got, want = slope(row_sums, *inputs, weights=weights), slope(dense, *inputs, weights=weights)
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_single_precision_stays_close(shape, engine):
    u, v, weights = (normal(*s, seed=i, dtype=torch.float32) for i, s in enumerate((shape, shape, shape[:-1])))
    torch.testing.assert_close(row_sums(u).double(), dense(u), rtol=2e-6, atol=0)
    torch.testing.assert_close(row_sums(u, v).double(), dense(u, v), rtol=1e-5, atol=1e-12)
    got, want = slope(row_sums, u, weights=weights)[0], slope(dense, u.double(), weights=weights)[0]
    assert (got - want).norm() < 1e-5 * want.norm()


@pytest.mark.parametrize("tile", [2**8, 2**20])
def test_gradients_by_finite_differences(monkeypatch, engine, tile):
    monkeypatch.setattr(sums, "CACHE_TILE", tile)
    u, v = normal(2, 9, 3, seed=0).requires_grad_(), normal(2, 7, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(row_sums, u)
    assert torch.autograd.gradcheck(row_sums, (u, v))
    assert torch.autograd.gradcheck(log_row_sums, (u, v))


def test_a_gradient_may_be_wanted_on_one_side_only(engine):
    u, v, weights = normal(50, 3, seed=0), normal(40, 3, seed=1), normal(50, seed=2)
    both = slope(row_sums, u, v, weights=weights)
    assert torch.equal(slope(lambda z: row_sums(z, v), u, weights=weights)[0], both[0])
    assert torch.equal(slope(lambda z: row_sums(u, z), v, weights=weights)[0], both[1])


def test_the_second_gradient_is_refused(engine):
    u = normal(5, 2, seed=0).requires_grad_()
    first = torch.autograd.grad(row_sums(u).square().sum(), u, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_shift_of_the_data_changes_nothing(dtype, engine):
    grid = (normal(600, 4, seed=0) * 64).round() / 64  # so that adding 1000 is exact in float32 too
    u, weights = grid.to(dtype), normal(600, seed=1, dtype=dtype)
    far = u + 1000
    tolerance = {torch.float32: 2e-5, torch.float64: 1e-10}[dtype]
    torch.testing.assert_close(row_sums(far), row_sums(u), rtol=tolerance, atol=0)
    torch.testing.assert_close(row_sums(far, far[:50]), row_sums(u, u[:50]), rtol=tolerance, atol=0)
    torch.testing.assert_close(squared_distances(far, far), squared_distances(u, u), rtol=tolerance, atol=tolerance * 10)
    near, there = (slope(row_sums, z, weights=weights)[0] for z in (u, far))
    assert (near - there).norm() < 10 * tolerance * near.norm()


def test_stacked_members_equal_single_ones(engine):
    u, v, weights = normal(6, 5, 30, 4, seed=0), normal(6, 5, 20, 4, seed=1), normal(6, 5, 30, seed=2)
    for f, inputs in ((row_sums, (u,)), (row_sums, (u, v)), (log_row_sums, (u, v))):
        together = f(*inputs), *slope(f, *inputs, weights=weights)
        for i, j in ((0, 0), (3, 2), (5, 4)):
            alone = f(*(z[i, j] for z in inputs)), *slope(f, *(z[i, j] for z in inputs), weights=weights[i, j])
            for a, b in zip(alone, together, strict=True):
                torch.testing.assert_close(a, b[i, j], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("n", "chosen"), [(1024, sums.Whole), (1025, sums.Tiled)])
def test_few_pairs_are_summed_at_once_and_many_in_tiles(n, chosen):
    u = normal(n, 2, seed=0, dtype=torch.float32).requires_grad_()
    got = row_sums(u)
    assert got.grad_fn.name() == f"{chosen.__name__}Backward"
    with torch.no_grad():
        assert torch.equal(row_sums(u), got)


def test_no_gradient_is_lost_beside_self_pairs_that_outweigh_it(engine):
    # In 20 dimensions kernels between rows are e^-20: as large as the rounding of a self pair's moment in single precision.
    u, weights = normal(300, 20, seed=0, dtype=torch.float32), normal(300, seed=1)
    got, want = slope(row_sums, u, weights=weights.float())[0], slope(dense, u.double(), weights=weights)[0]
    assert (got - want).norm() < 5e-6 * want.norm()


def test_repeats_are_bit_identical(engine):
    u, v, weights = (normal(*s, seed=0, dtype=torch.float32) for s in ((1700, 6), (900, 6), (1700,)))
    for f, inputs in ((row_sums, (u,)), (row_sums, (u, v)), (log_row_sums, (u, v))):
        first, second = (torch.cat([f(*inputs), *(g.flatten() for g in slope(f, *inputs, weights=weights))]) for _ in "ab")
        assert torch.equal(first, second)


@pytest.mark.parametrize("width", [1e-3, 1e-8, 1e-15])
def test_tiny_widths_leave_only_the_self_pair(width, engine):
    u = normal(800, 3, seed=0, dtype=torch.float32) / width
    assert torch.equal(row_sums(u), torch.ones(800))
    gradient = slope(row_sums, u, weights=torch.ones(800))[0]
    assert gradient.isfinite().all()


def test_logarithms_do_not_underflow(engine):
    u, v = normal(300, 2, seed=0), normal(500, 2, seed=1) + 200
    want = torch.logsumexp(-squared_distances(u, v) / 2, -1)
    assert (want < -10_000).all()
    torch.testing.assert_close(log_row_sums(u, v), want, rtol=1e-12, atol=0)
    weights = normal(300, seed=2)
    got = slope(log_row_sums, u, v, weights=weights)
    exact = slope(lambda a, b: torch.logsumexp(-torch.cdist(a, b).square() / 2, -1), u, v, weights=weights)
    torch.testing.assert_close(got, exact, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(log_row_sums(u.float(), v.float()).double(), want, rtol=1e-5, atol=0)


def test_log_sums_are_the_logarithms_of_sums(engine):
    u, v = normal(2, 700, 3, seed=0), normal(2, 400, 3, seed=1)
    torch.testing.assert_close(log_row_sums(u, v), row_sums(u, v).log(), rtol=1e-12, atol=1e-13)


def test_squared_distances_are_scipys_and_never_negative():
    u = normal(60, 5, seed=0)
    i, j = torch.triu_indices(60, 60, 1)
    torch.testing.assert_close(squared_distances(u, u)[i, j], torch.from_numpy(pdist(u.numpy(), "sqeuclidean")))
    assert (squared_distances(u.float(), u.float()) >= 0).all()
    stacked = normal(3, 4, 5, seed=1), normal(3, 6, 5, seed=2)
    torch.testing.assert_close(squared_distances(*stacked)[1], squared_distances(stacked[0][1], stacked[1][1]))


def test_median_distance():
    x = normal(7, 3, seed=0)  # 21 pairs, so that the median is one of them
    assert median_distance(x) == pytest.approx(float(torch.from_numpy(pdist(x.numpy())).median()), rel=1e-12)
    assert median_distance(x + 1e6) == pytest.approx(median_distance(x), rel=1e-8)
    # |x - x'| of two standard normals has median sqrt(2) * 0.6745; rows sorted by class must not mislead the subsample.
    many = normal(20_000, 1, seed=1).sort(0).values
    assert median_distance(many) == pytest.approx(0.9539, rel=0.04)
    assert median_distance(many) == median_distance(many)


@pytest.mark.parametrize("x", [torch.ones(4, 2), torch.randn(1, 2)], ids=["equal", "one"])
def test_median_distance_refuses_what_gives_no_width(x):
    with pytest.raises(ValueError, match="is no width; give a positive width"):
        median_distance(x)


PEAK = """
import json, sys, torch
from lib.pairwise.sums import log_row_sums, row_sums
from tests.memory import growth
torch.set_num_threads(1)
def step(n):
    u, v = torch.randn(n, 8).requires_grad_(), torch.randn(n, 8)
    (row_sums(u).log().sum() + log_row_sums(u, v[:2048]).sum()).backward()
step(700)  # libraries warm up
print(json.dumps(growth(lambda: step(int(sys.argv[1])))))
"""


@measured
@pytest.mark.parametrize("n", [2000, 8192])
def test_peak_memory_stays_within_the_budget(n):
    command = [sys.executable, "-c", PEAK, str(n)]
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    grown = json.loads(run.stdout)
    assert grown < sums.MEMORY_BUDGET, f"{grown / 2**20:.1f} MiB for {n} rows; all pairs would take {n * n * 4 / 2**20:.0f}"
