"""Charts of what studies measure hold what their tables hold."""

import numpy as np
import pandas as pd
import pytest

from lib.workbook import charts
from tests.workbook.samples import points


def test_the_plane_shows_the_mean_path_of_each_layer(ax):
    charts.information_plane(points(), ax=ax)
    first, second = (line.get_xdata() for line in ax.lines[:2])
    np.testing.assert_allclose(first, [3.91, 4.0, 4.9])
    np.testing.assert_allclose(second, first - 1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("I(X;T) in nats", "I(T;Y) in nats")


def test_one_epoch_of_the_plane_shows_every_network_in_a_frame_that_stands_still(ax):
    table = points()
    frames = []
    for epoch in (1, 100):
        ax.clear()
        charts.plane_at(table, epoch=epoch, ax=ax)
        frames.append((ax.get_xlim(), ax.get_ylim()))
        dots = ax.collections[0].get_offsets()
        np.testing.assert_allclose(dots[:, 0], [4 - 0.1 * s + epoch / 100 for s in range(3)])
        assert ax.lines[0].get_xdata()[0] == pytest.approx(3.9 + epoch / 100) and ax.get_title() == f"epoch {epoch}"
    assert frames[0] == frames[1] and frames[0][0][1] > table.mi_xt.max()


def test_over_epochs_shows_means_and_the_range_of_seeds(ax):
    charts.over_epochs(points(), value="mi_xt", by="layer", ax=ax)
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
    charts.capacity_against_performance(frame, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 0.05], [0.5, 0.55], [0, 1.05]])


def test_hidden_values_are_filled_cells(ax):
    seen = np.array([[True, False], [True, True], [False, True]])
    charts.seen_and_hidden(seen, ax=ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), [[0, 0, 1], [1, 0, 0]])


def test_ours_and_published_errors_share_an_axis(ax):
    ours = pd.DataFrame([{"truth": t, "error": t / 10 + s, "setting": "k = 3", "seed": s} for t in (1, 2) for s in (0, 1)])
    charts.against_published(ours, pd.DataFrame({"truth": [1, 2], "error": [0.3, 0.4]}), ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.6, 0.7])
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), [0.3, 0.4])


def test_ours_and_published_paths_share_a_colour_and_methods_without_both_are_left_out(ax):
    ours = pd.DataFrame(
        [{"method": m, "beta": b, "seed": s, "r": b, "mi_ty": 1 - b + s} for m in "ab" for b in (0, 1) for s in (0, 1)]
    )
    charts.beside_published(ours, pd.DataFrame({"method": ["b", "c"], "r": [0.3, 0.4], "mi_ty": [1.2, 1.1]}), ax=ax)
    mine, told = ax.lines
    np.testing.assert_allclose(mine.get_xydata(), [[0, 1.5], [1, 0.5]])
    np.testing.assert_allclose(told.get_xydata(), [[0.3, 1.2]])
    assert mine.get_color() == told.get_color() and mine.get_label() == "b"


def test_verdicts_stack_up_to_the_number_of_claims(ax):
    rows = [{"source": "a", "verdict": "holds"}] * 2 + [
        {"source": "a", "verdict": "fails"},
        {"source": "b", "verdict": "holds"},
    ]
    charts.verdicts(rows, ax=ax)
    ends = {}
    for bar in ax.patches:
        ends[bar.get_y()] = max(ends.get(bar.get_y(), 0), bar.get_x() + bar.get_width())
    assert sorted(ends.values()) == [1, 3]


def test_loss_curves_start_at_each_methods_smallest_beta(ax):
    frame = pd.DataFrame(
        [{"method": "m", "beta": b, "seed": s, "epoch": e, "valid": e + b} for b in (0.0, 5.0) for s in (0, 1) for e in (1, 2)]
    )
    charts.loss_curves(frame, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1, 2])


def test_loss_curves_of_stacked_methods_go_on_where_a_member_diverged(ax):
    method = pd.DataFrame({"method": "a", "beta": 0.0, "seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "valid": [1, 2, 3, np.nan]})
    charts.loss_curves(pd.concat([method, method.assign(method="b", valid=[2.0, 3.0, 4.0, 5.0])]), ax=ax)
    np.testing.assert_allclose([line.get_ydata() for line in ax.lines[:2]], [[2, 2], [3, 4]])


def test_estimates_stand_against_the_diagonal(ax):
    rows = [
        {"truth": t, "seed": s, "code": c, "mi": t - k + 0.1 * s}
        for t in (0.0, 5.0, 10.0)
        for s in (0, 1)
        for k, c in enumerate(("none", "pca"))
    ]
    charts.against_truth(pd.DataFrame(rows), ax=ax)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [-0.95, 4.05, 9.05])
    truth = next(line for line in ax.lines if line.get_label() == "truth")
    assert list(truth.get_xdata()) == list(truth.get_ydata()) == [0.0, 10.0]


def test_compressions_are_parts_of_their_curves(ax):
    curves = pd.DataFrame({"conv": [3.0, 2.0, 1.0, 2.0], "dense": [0.0, 1.0, 2.0, 3.0]})
    parts = pd.DataFrame({"layer": ["conv"], "start": [0], "stop": [2]})
    charts.with_compressions(curves, parts, 1.5, ax=ax)
    thick = [line for line in ax.lines if line.get_linewidth() > 3]
    assert [list(line.get_ydata()) for line in thick] == [[3.0, 2.0, 1.0]]
    assert ax.lines[-1].get_xdata()[0] == 1.5 and len(ax.lines) == 4


def test_eigenvalues_have_their_residuals_for_colours_and_known_ones_for_crosses(ax):
    table = pd.DataFrame({"real": [1.0, 0.5], "imag": [0.0, 0.5], "residual": [1e-14, 0.1]})
    charts.eigenvalues(table, known=np.array([1.0, 0.5j]), ax=ax)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[1, 0], [0.5, 0.5]])
    np.testing.assert_allclose(ax.collections[0].get_array(), [1e-10, 0.1])
    circle, crosses = ax.lines
    np.testing.assert_allclose(np.hypot(*circle.get_data()), 1)
    np.testing.assert_allclose(crosses.get_xydata(), [[1, 0], [0, 0.5]])


def test_a_mode_is_white_at_zero(ax):
    charts.mode(np.array([[-2.0, 0.0], [1.0, 0.0]]), ax=ax)
    assert ax.images[0].get_clim() == (-2.0, 2.0) and ax.images[0].get_array().tolist() == [[-2, 0], [1, 0]]
