"""Neighbour estimators against libraries."""

from sklearn.feature_selection import mutual_info_regression

from lib.data.synthetic import gaussian_pair
from lib.estimators.knn import mi_ksg
from tests.bench.harness import compare


def rows() -> list[dict]:
    """Compare KSG with scikit-learn's."""
    x, y, _ = gaussian_pair(5000, 0.8, seed=0)
    return [
        compare(
            "ksg", "n = 5000, scalars, k = 3", "scikit-learn mutual_info_regression", 1.0,
            lambda: mi_ksg(x, y), lambda: mutual_info_regression(x.numpy(), y[:, 0].numpy(), n_neighbors=3),
        ),
    ]  # fmt: skip
