"""Episodes of curves whose turning points are known, and a null that keeps its level."""

import math
from itertools import pairwise

import numpy as np
import pytest

from lib.stats import episodes
from lib.stats.episodes import Episode


def wave(records=61, periods=3):
    """Fall, rise, fall, ...: a cosine whose turning points lie half a period apart."""
    return np.cos(np.linspace(0, 2 * math.pi * periods, records))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_a_wave_turns_where_it_turns():
    listed = episodes.episodes(wave(), least=0.5)
    assert [(e.start, e.stop) for e in listed] == [(i, i + 10) for i in range(0, 60, 10)]
    assert [e.change for e in listed] == pytest.approx([-2.0, 2.0] * 3)
    assert [e.start for e in episodes.compressions(listed)] == [0, 20, 40]


@pytest.mark.parametrize(
    ("curve", "wanted"),
    [
        ([0, 1, 2, 3], [Episode(0, 3, 3)]),
        ([3, 2, 1], [Episode(0, 2, -2)]),
        ([0, 2, 1.5, 3, 0], [Episode(0, 3, 3), Episode(3, 4, -3)]),  # a dip smaller than 1 belongs to the rise
        ([0, 0.5, 0, 0.9, 0.1], []),
        ([1, 0.5, 2, 2, 0.9, 0.9], [Episode(1, 2, 1.5), Episode(2, 4, pytest.approx(-1.1))]),
    ],
)
def test_small_swings_belong_to_the_large_ones_they_interrupt(curve, wanted):
    assert episodes.episodes(curve, least=1.0) == wanted


def test_the_mirrored_curve_has_the_mirrored_episodes():
    curve = normal(200).cumsum()
    ours, mirrored = (episodes.episodes(c, least=2.0) for c in (curve, -curve))
    assert len(ours) > 5 and mirrored == [e._replace(change=-e.change) for e in ours]
    assert all(a.stop == b.start and a.change * b.change < 0 for a, b in pairwise(ours))


def test_smoothing_keeps_parabolas_and_noise_is_found():
    t = np.arange(30.0)
    assert episodes.smooth(3 - 2 * t + 0.1 * t**2, window=7) == pytest.approx(3 - 2 * t + 0.1 * t**2)
    found = [episodes.noise(0.01 * t**2 + 0.3 * normal(30, seed=seed), window=7) for seed in range(200)]
    assert math.sqrt(np.mean(np.square(found))) == pytest.approx(0.3, rel=0.05)


def test_noise_alone_makes_few_episodes_and_a_wave_keeps_its_own():
    t = np.linspace(0, 10, 31)
    falls = [episodes.compressions(episodes.found(t + normal(31, seed=s), window=7, deviations=3)) for s in range(200)]
    assert np.mean([len(f) > 0 for f in falls]) < 0.05
    seen = [episodes.compressions(episodes.found(wave() + 0.1 * normal(61, seed=s), window=7, deviations=3)) for s in range(50)]
    assert np.mean([len(f) == 3 for f in seen]) > 0.9


def test_the_steepest_point_of_a_fall():
    curve = np.array([0, 1, 0.8, -1, -1.1, 4, 0])
    assert episodes.steepest_fall(curve) == 5 and episodes.steepest_fall(curve, start=1, stop=4) == 2
    assert episodes.distance(curve, 4, least=1.0) == 2
    assert episodes.distance(np.arange(7.0), 3, least=1.0) == 7


def step(at, records=31):
    """A loss that falls between two records, softened over a few."""
    return -np.tanh((np.arange(records) - at - 0.5) / 1.5)


@pytest.mark.parametrize("at", [6, 15, 22])
def test_a_compression_with_the_fall_has_a_small_rank_and_one_elsewhere_has_not(at):
    rise = 0.2 * np.arange(31)
    curves = [rise + 2 * step(at) + 0.01 * normal(31, seed=s) for s in range(3)]
    asked = {"window": 7, "deviations": 3.0}
    assert episodes.rank_of_coincidence(curves, step(at), **asked) < 0.1
    assert episodes.rank_of_coincidence(curves, step((at + 12) % 29), **asked) > 0.3


def test_without_connection_the_test_keeps_its_level():
    rng = np.random.default_rng(0)

    def rank():
        curves = rng.normal(size=(2, 25)).cumsum(1) + 0.2 * rng.normal(size=(2, 25))
        return episodes.rank_of_coincidence(curves, step(rng.integers(24), 25), window=7, deviations=3.0)

    probabilities = [episodes.chance([rank() for _ in range(5)]) for _ in range(60)]
    assert np.mean(np.array(probabilities) < 0.05) <= 0.15  # 3 of 60 expected, more than 9 once in 1000 tries
    assert 0.3 < np.mean(probabilities) < 0.7


def test_chance_is_that_of_a_mean_of_uniform_numbers():
    assert episodes.chance([0.3]) == pytest.approx(0.3)
    assert episodes.chance([0.5] * 5) == pytest.approx(0.5)
    assert episodes.chance([1.0] * 4) == pytest.approx(1.0) and episodes.chance([0.0] * 3) == 0
    draws = np.random.default_rng(1).random((100_000, 5)).mean(1)
    for mean in (0.2, 0.35, 0.6):
        assert episodes.chance([mean] * 5) == pytest.approx((draws <= mean).mean(), abs=0.006)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: episodes.episodes([1, math.nan, 2], least=1), "at least 3 finite values"),
        (lambda: episodes.episodes([1, 2, 3], least=0), "least must be > 0, got 0"),
        (lambda: episodes.smooth(range(9), window=6), "window must be odd, at least 5 and at most the 9 records, got 6"),
        (lambda: episodes.smooth(range(6), window=7), "at most the 6 records, got 7"),
        (lambda: episodes.rank_of_coincidence([range(8)], range(9), window=5, deviations=3), "one record for each"),
        (lambda: episodes.chance([0.2, 1.2]), r"ranks must lie in \[0, 1\]"),
    ],
)
def test_refuses_what_is_no_curve(call, message):
    with pytest.raises(ValueError, match=message):
        call()
