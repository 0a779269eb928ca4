"""Figures hold what the tables hold, and the same table gives the same bytes."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib import plot


@pytest.fixture
def ax():
    with plot.style():
        figure, ax = plt.subplots()
        yield ax
        plt.close(figure)


def points(seeds=3):
    rows = [
        {"epoch": e, "layer": layer, "seed": s, "mi_xt": 5 - layer - 0.1 * s + e / 100, "mi_ty": 0.6, "member": s}
        for e in (1, 10, 100)
        for layer in (1, 2)
        for s in range(seeds)
    ]
    return pd.DataFrame(rows)


def test_the_look_ends_with_its_block_and_leaves_the_rest():
    before = plt.rcParams["font.size"]
    with plot.style():
        assert plt.rcParams["font.size"] == 9 != before
        plt.rcParams["interactive"] = True
    assert plt.rcParams["font.size"] == before and plt.rcParams["interactive"]
    plt.rcParams["interactive"] = False


def test_the_plane_shows_the_mean_path_of_each_layer(ax):
    plot.information_plane(points(), ax=ax)
    first, second = (line.get_xdata() for line in ax.lines[:2])
    np.testing.assert_allclose(first, [3.91, 4.0, 4.9])
    np.testing.assert_allclose(second, first - 1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("I(X;T) in nats", "I(T;Y) in nats")


def test_over_epochs_shows_means_and_the_range_of_seeds(ax):
    plot.over_epochs(points(), value="mi_xt", by="layer", ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [3.91, 4.0, 4.9])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(3.81) and band.max() == pytest.approx(5.0)
    assert ax.get_xscale() == "log" and [t.get_text() for t in ax.get_legend().get_texts()] == ["layer 1", "layer 2"]


def test_capacity_against_performance_goes_along_beta(ax):
    frame = pd.DataFrame(
        [
            {"method": "vib", "beta": b, "seed": s, "capacity": 1 - b, "performance": b + 0.1 * s}
            for b in (0.5, 0.0, 1.0)
            for s in (0, 1)
        ]
    )
    plot.capacity_against_performance(frame, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 0.05], [0.5, 0.55], [0, 1.05]])


def test_a_heat_map_writes_its_numbers_and_leaves_missing_cells_blank(ax):
    table = pd.DataFrame({"ksg": [0.1, -3.0], "kl": [np.nan, 0.25]}, index=["easy", "hard"])
    plot.heat_map(table, most=1.0, label="bias", ax=ax)
    assert [t.get_text() for t in ax.texts] == ["0.10", "-3.00", "0.25"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["easy", "hard"]
    assert ax.collections[0].get_clim() == (-1.0, 1.0)


def test_dots_stand_in_the_order_asked_with_their_median(ax):
    table = pd.DataFrame({"estimator": ["a", "b", "b", "b"], "mae": [5.0, 1.0, 4.0, np.nan]})
    plot.dots(table, value="mae", by="estimator", order=["b", "a"], ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b", "a"]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 0], [4, 0]])
    np.testing.assert_allclose(ax.lines[1].get_xdata(), [2.5, 2.5])


def test_ours_and_published_errors_share_an_axis(ax):
    ours = pd.DataFrame([{"truth": t, "error": t / 10 + s, "setting": "k = 3", "seed": s} for t in (1, 2) for s in (0, 1)])
    plot.against_published(ours, pd.DataFrame({"truth": [1, 2], "error": [0.3, 0.4]}), ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.6, 0.7])
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), [0.3, 0.4])


def test_verdicts_stack_up_to_the_number_of_claims(ax):
    rows = [{"source": "a", "verdict": "holds"}] * 2 + [
        {"source": "a", "verdict": "fails"},
        {"source": "b", "verdict": "holds"},
    ]
    plot.verdicts(rows, ax=ax)
    ends = {}
    for bar in ax.patches:
        ends[bar.get_y()] = max(ends.get(bar.get_y(), 0), bar.get_x() + bar.get_width())
    assert sorted(ends.values()) == [1, 3]


def test_loss_curves_start_at_each_methods_smallest_beta(ax):
    frame = pd.DataFrame(
        [{"method": "m", "beta": b, "seed": s, "epoch": e, "valid": e + b} for b in (0.0, 5.0) for s in (0, 1) for e in (1, 2)]
    )
    plot.loss_curves(frame, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1, 2])


def test_svg_bytes_repeat(tmp_path):
    def drawn(name):
        with plot.style():
            figure, ax = plt.subplots()
            plot.information_plane(points(), ax=ax)
        plot.keep(tmp_path, {name: (figure, "A title", "a caption")})
        plt.close(figure)
        return (tmp_path / f"figures/{name}.svg").read_bytes()

    first = drawn("one")
    assert first == drawn("two") and b"<svg" in first and b"dc:date" not in first
    assert json.loads((tmp_path / "figures.json").read_text()) == [
        {"file": "two.svg", "title": "A title", "caption": "a caption"}
    ]


def test_estimates_stand_against_the_diagonal(ax):
    rows = [
        {"truth": t, "seed": s, "code": c, "mi": t - k + 0.1 * s}
        for t in (0.0, 5.0, 10.0)
        for s in (0, 1)
        for k, c in enumerate(("none", "pca"))
    ]
    plot.against_truth(pd.DataFrame(rows), ax=ax)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [-0.95, 4.05, 9.05])
    truth = next(line for line in ax.lines if line.get_label() == "truth")
    assert list(truth.get_xdata()) == list(truth.get_ydata()) == [0.0, 10.0]


def test_compressions_are_parts_of_their_curves(ax):
    curves = pd.DataFrame({"conv": [3.0, 2.0, 1.0, 2.0], "dense": [0.0, 1.0, 2.0, 3.0]})
    parts = pd.DataFrame({"layer": ["conv"], "start": [0], "stop": [2]})
    plot.with_compressions(curves, parts, 1.5, ax=ax)
    thick = [line for line in ax.lines if line.get_linewidth() > 3]
    assert [list(line.get_ydata()) for line in thick] == [[3.0, 2.0, 1.0]]
    assert ax.lines[-1].get_xdata()[0] == 1.5 and len(ax.lines) == 4
