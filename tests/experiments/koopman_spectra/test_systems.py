"""Eigenvalues beside those known by theory, for systems with rates, noise, energies and wells."""

import numpy as np
import pytest

from lib.experiments.koopman_spectra import systems


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
