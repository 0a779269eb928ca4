"""Points of a published figure are in nats and fall as they must."""

import math

import pytest

from lib.experiments.cs_ib.published import CS_IB_FIGURE, cs_ib_figure


def test_points_of_the_published_figure_are_in_nats_and_fall_to_the_right():
    for name, methods in CS_IB_FIGURE.items():
        points = cs_ib_figure(name)
        assert set(points.method) == set(methods) and points.r.between(0, 1).all()
        assert points.groupby("method").r.apply(lambda r: r.is_monotonic_increasing).all()
        assert (points.groupby("method").mi_ty.last() < points.groupby("method").mi_ty.first()).all()
    first = cs_ib_figure("california_housing").iloc[0]
    assert 0.5321 * math.exp(-first.mi_ty) == pytest.approx(0.2095, abs=1e-4)  # the RMSE behind 1.345 bits
    assert cs_ib_figure("diabetes").empty
