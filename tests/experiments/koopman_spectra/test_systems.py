"""Eigenvalues beside those known by theory, forecasts taken apart and put together again, and the views of both."""

import base64
import io
import math
import re
import time

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from lib.core.types import Trajectories
from lib.data.dynamics import DYNAMICS
from lib.experiments.koopman_spectra import logistic, rollouts, systems
from lib.koopman import modes
from lib.koopman.dictionaries import monomials
from lib.koopman.edmd import edmd
from lib.koopman.linear import rollout
from lib.koopman.modes import Pieces
from lib.widgets import eigenpairs, explorers, svg


def test_the_slow_manifold_has_the_rates_of_its_lattice_and_others_are_made_up():
    table = systems.slow_manifold(0, degrees=[2, 4])
    degree2 = table[(table.dictionary == "degree 2") & table.true]
    np.testing.assert_allclose(sorted(degree2.rate), [-1.0, -0.1, -0.05, 0.0], atol=1e-10)
    for name, counts in {"degree 2": (6, 4), "degree 4": (15, 9), "five superfluous": (8, 3)}.items():
        part = table[table.dictionary == name]
        assert (len(part), part.true.sum(), part.known.iloc[0]) == (*counts, counts[1])
    assert table[table.true].residual.max() < 1e-8 and table[~table.true].residual.min() > 1e-5


def test_the_lattice_counts_a_parabola_twice():
    assert sorted(systems.lattice(-0.05, -1.0, 3)) == pytest.approx([-1.05, -1.0, -0.15, -0.1, -0.05, 0.0])


def test_noise_shrinks_exact_dmd_alone():
    bias = systems.noisy_rotation(0, noises=[0.0, 0.1], draws=10).groupby(["noise", "method"]).bias.mean()
    assert bias[0.0].abs().max() < 1e-10
    assert bias[0.1, "exact"] < -0.01 and abs(bias[0.1, "tls"]) < 0.001 and abs(bias[0.1, "fb"]) < 0.001


def wrapped_by_quadrature(power, nodes=200):
    points, weights = np.polynomial.legendre.leggauss(nodes)
    y, w = (points + 1) / 2, weights / 2
    gap = (y - 4 * (y * (1 - y))[:, None] + 0.5) % 1 - 0.5
    scale = 2 ** (2 * power) / math.comb(2 * power, power)
    return np.linalg.eigvals(scale * np.cos(np.pi * gap) ** (2 * power) * w)


def test_the_quadrature_that_gives_the_clipped_spectrum_gives_the_known_one_when_it_wraps():
    found = wrapped_by_quadrature(10)
    for known in logistic.truths()["wrapped"][:5].numpy():
        assert np.abs(found - known).min() < 1e-8


def test_the_clipped_spectrum_keeps_constants_and_does_not_depend_on_the_grid():
    coarse, fine = (logistic.clipped_spectrum(nodes=n) for n in (100, 400))
    assert coarse[0].real == pytest.approx(1, abs=1e-9) and (coarse[:5] - fine[:5]).abs().max() < 1e-8


def test_one_clipped_step_has_the_mean_of_its_law_and_estimates_go_to_its_spectrum():
    rng, x = np.random.default_rng(0), np.full(400_000, 0.3)
    noise = np.arctan(rng.standard_t(21, len(x)) / math.sqrt(21)) / math.pi
    mean = np.cos(2 * np.pi * np.clip(4 * x * (1 - x) + noise, 0, 1)).mean()
    first = 4 * 0.3 * 0.7
    law = stats.t(21)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    y, w = (nodes + 1) / 2, weights / 2
    density = np.where(np.abs(y - first) < 0.5, np.cos(np.pi * (y - first)) ** 20, 0) * 2**20 / math.comb(20, 10)
    above = law.sf(math.sqrt(21) * math.tan(math.pi * (1 - first)))
    truth = (w * density * np.cos(2 * np.pi * y)).sum() + above
    assert mean == pytest.approx(truth, abs=4e-3)
    apart = []
    for seed in range(3):
        data = logistic.clipped_logistic(steps=60_000, seed=seed)
        assert data.x.min() == 0 and data.x.max() == 1
        values = logistic.CLIPPED["monomials"](data, 0).eigenvalues
        apart.append((values[:, None] - data.truth["spectrum"][:2]).abs().amin(0).max().item())
    assert sorted(apart)[1] < 0.06, apart


def test_distances_are_zero_for_the_truth_and_slopes_are_those_of_powers():
    table = logistic.distances(0, sizes=[500, 20_000])
    assert set(table.kind) == {"wrapped", "clipped"} and table.error.between(0, 0.5).all()
    last = table[(table.n == 20_000) & (table.kind == "wrapped")].set_index("method").error
    assert last["invariant"] < 0.1 < last["PCR 0.1"]
    made = table[table.method == "invariant"].assign(error=lambda t: 3 * t.n**-0.5)
    assert logistic.slopes(made)[0] == pytest.approx(-0.5)


def test_one_energy_is_a_point_and_many_are_a_band():
    one = systems.one_energy(0, amplitudes=[0.8, 2.4])
    np.testing.assert_allclose(one.truth, [0.300720, 0.200754], atol=1e-6)
    np.testing.assert_allclose(one.angle, one.truth, atol=1e-8)
    many = systems.many_energies(0, delays=[5, 10])
    assert many[many.angle > 0.01].residual.min() > 0.01 and many.low.iloc[0] < many.high.iloc[0]


def test_the_widest_gap_of_a_band():
    assert systems.widest_gap([0.0, 1.2, 1.5, 9.0], 1.0, 2.0) == pytest.approx(0.5)
    assert systems.widest_gap([5.0], 1.0, 2.0) == 1.0


def test_the_bottom_of_a_well_shows_its_rates():
    table = systems.duffing(0, degrees=[5]).groupby("part").distance.min()
    assert table["one well"] < 1e-3 and table["both wells"] > 0.05


def test_lorenz_errors_depend_on_the_mode_unless_the_state_is_all():
    table = rollouts.lorenz(0, degrees={0.01: [1, 3]}, pairs=1000, starts=20).set_index(["degree", "mode", "steps"])
    assert table.nrmse[1, "linear", 20] == pytest.approx(table.nrmse[1, "relift", 20])
    assert table.nrmse[3, "relift", 20] < 0.01 < 0.1 < table.nrmse[3, "linear", 20]
    assert (table.valid <= table.longest).all() and table.longest.iloc[0] == pytest.approx(4 * 0.9056)


def test_standardised_is_in_units_of_the_first():
    data = DYNAMICS["lorenz"](trajectories=2, steps=100, dt=0.01, seed=0)
    train, test = rollouts.standardised(data, data._replace(x=data.x + 1))
    assert train.x.mean((0, 1)).abs().max() < 1e-12 and (train.x.std((0, 1)) - 1).abs().max() < 1e-12
    torch.testing.assert_close(test.x - train.x, (1 / data.x.std((0, 1))).expand_as(data.x))


def test_the_pieces_add_up_to_the_rollout():
    data, fresh = systems.both("slow_manifold", 0, trajectories=20, steps=30, dt=0.02)
    model = edmd(data, lift=monomials(2, degree=3))
    pieces = modes.taken_apart(model, fresh, steps=30)
    whole = modes.forecast(pieces, torch.ones(10, dtype=torch.bool), 30)
    torch.testing.assert_close(whole, rollout(model, fresh.x[:1, 0], 30, mode="linear").x[0, 1:], atol=1e-9, rtol=0)
    assert modes.forecast(pieces, torch.zeros(10, dtype=torch.bool), 30).abs().max() == 0


def field_of_waves(angle=0.4, steps=40):
    """Two waves over a grid that turn at one and at two angles, decaying not at all."""
    t, grid = torch.arange(steps + 1, dtype=torch.float64)[:, None, None], torch.arange(8, dtype=torch.float64)
    wave = (angle * t - grid[:, None]).cos() + 0.3 * (2 * angle * t - grid).cos()
    return Trajectories(wave[None, :, None], 1.0, {"angle": torch.tensor([angle], dtype=torch.float64)})


def test_dmd_of_a_field_finds_its_rhythm_and_foretells_it():
    data = field_of_waves()
    found = rollouts.rhythms(data, ranks=[4], steps=10).iloc[0]
    assert found.angle == pytest.approx(0.4, abs=1e-9) and found.modulus == pytest.approx(1, abs=1e-9)
    assert found.error < 1e-8 and found.residual < 1e-8 and (found.flow, found["rank"]) == (0, 4)


def test_a_field_too_short_to_hold_frames_back_is_refused():
    with pytest.raises(ValueError, match="41 snapshots are too few to hold back 21; give at least 43"):
        rollouts.field(field_of_waves(), rank=4, steps=21)


@pytest.fixture(scope="module")
def waves():
    return rollouts.field(field_of_waves(), rank=4, steps=10)


def test_models_come_back_from_disk(tmp_path, waves):
    modes.save({"b": waves, "a": waves}, tmp_path / "x.safetensors")
    back = modes.load(tmp_path / "x.safetensors")
    assert list(back) == ["a", "b"] and back["a"].truth.shape == (11, 1, 8, 8)
    for ours, theirs in zip(waves, back["a"], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_models_to_look_at_have_a_trajectory_and_pairs():
    found = rollouts.models(0)
    assert {name: len(p.values) for name, p in found.items()}["slow manifold, degree 4"] == 15
    assert all(p.parts.shape[1] == p.truth[0].numel() for p in found.values())
    assert eigenpairs.error(found["slow manifold, degree 4"], 1e-8) < 1e-8


def three():
    values = torch.tensor([1.0, 0.8j, -0.8j], dtype=torch.complex128)
    parts = torch.tensor([[1.0, 0.0], [0.5, 1.0], [0.5, 1.0]], dtype=torch.complex128)
    t = torch.arange(6, dtype=torch.float64)
    truth = (values[:, None, None] ** t[:, None] * parts[:, None]).sum(0).real
    return Pieces(values, torch.tensor([1e-9, 0.1, 0.1], dtype=torch.float64), parts, truth)


def test_the_error_is_nothing_with_all_pairs_and_grows_as_they_go():
    assert eigenpairs.error(three(), 1.0) < 1e-12 < 0.1 < eigenpairs.error(three(), 1e-8)
    assert eigenpairs.thresholds(three()) == pytest.approx([1.001e-9, 0.1001])
    assert eigenpairs.columns(three()) == [0, 1] and eigenpairs.turning(three()) == [0, 1]


def test_dropped_pairs_turn_grey_in_a_frame_that_stands_still():
    some, none = (eigenpairs.eigenpairs(three(), at_most=level) for level in (1e-8, 1.0))
    colours = [re.findall(r'r="3.5" fill="(#\w+)"', svg) for svg in (some, none)]
    assert colours[0][1:] == [eigenpairs.DROPPED] * 2 and eigenpairs.DROPPED not in colours[1]
    assert "modulus 0.8000, residual 1.0e-01" in some and colours[0][0] == colours[1][0]
    strip = lambda svg: re.sub(r"<circle.*?</circle>", "", svg)  # noqa: E731
    assert strip(some) == strip(none)


def test_colours_of_residuals_end_where_the_scale_does():
    assert eigenpairs.shade(1e-14) == eigenpairs.shade(1e-10) != eigenpairs.shade(1e-6)
    assert eigenpairs.shade(7.0) == eigenpairs.shade(1.0)


def test_the_rollout_says_what_is_kept_and_draws_both_lines():
    svg = eigenpairs.rollout(three(), at_most=1e-8, column=1)
    assert "1 of 3 pairs, error" in svg and svg.count('stroke-width="1.4"') == 2
    whole = eigenpairs.rollout(three(), at_most=1.0, column=0)
    trajectory, told = re.findall(r'<path d="M([^"]*)" fill="none" stroke="#\w+" stroke-width="1.4"', whole)
    assert trajectory.split("L")[1:] == told.split("L")[:1] + told.split("L")[1:], "all pairs follow the trajectory"


def test_lines_break_where_they_leave_the_frame():
    made, spans = svg.frame((0.0, 3.0), (0.0, 1.0), "x", "y"), ((0.0, 3.0), (0.0, 1.0))
    line = svg.path(made, np.arange(4.0), np.array([0.5, 2.0, 0.5, 0.6]), spans, "red")
    assert line.count("M") == 2 and line.count("L") == 1
    assert svg.path(made, np.zeros(2), np.full(2, 5.0), spans, "red") == ""


def pixels(svg):
    png = base64.b64decode(re.search(r"base64,([^\"]+)", svg)[1])
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


def test_half_a_turn_swaps_blue_and_red_in_a_mode(waves):
    pair = eigenpairs.turning(waves)[0]
    here, there = (pixels(eigenpairs.mode(waves, pair=pair, phase=p)) for p in (0.0, math.pi))
    assert here.shape == (8, 8, 3)
    part = waves.parts[pair].real.reshape(8, 8).numpy()
    strong = np.abs(part) > 0.5 * waves.parts[pair].abs().max().item()
    warm = here[..., 0] - here[..., 2]
    assert (np.sign(warm[strong]) == np.sign(part[strong])).all() and strong.sum() > 8
    assert (np.sign(there[..., 0] - there[..., 2])[strong] == -np.sign(warm[strong])).all()


def test_redrawing_takes_less_than_a_tenth_of_a_second(waves):
    model = rollouts.models(0)["Lorenz, degree 5"]
    eigenpairs.trusted(model, at_most=1.0, column=0)
    begin = time.process_time()
    for level in np.geomspace(1e-6, 1, 10):
        eigenpairs.trusted(model, at_most=level, column=0), eigenpairs.mode(waves, pair=0, phase=level)
    assert (time.process_time() - begin) / 10 < 0.1


def test_sliders_redraw_pairs_and_modes(waves):
    panel = explorers.trust_explorer(three())
    (level, column), picture = panel.children[0].children, panel.children[1]
    assert "3 of 3 pairs" in picture.value and list(column.options) == [0, 1]
    level.value = level.options[0][1]
    assert "1 of 3 pairs" in picture.value
    film, shown = explorers.mode_explorer(waves).children
    pair, phase = shown.children[0].children
    before = shown.children[1].value
    phase.value = 6
    assert shown.children[1].value != before and film.max == phase.max == 23
    pair.value = pair.options[1]
    assert f"pair {pair.options[1]}:" in shown.children[1].value
