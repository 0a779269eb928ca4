"""Points read off published figures, so that they can stand beside ours. Read from a raster, good to about 0.005."""

import math

import pandas as pd

# [yu2024csib], fig. 1: compression ratio of each method by its own estimate, and I(t;y) in bits on training batches.
CS_IB_FIGURE = {
    "california_housing": {
        "cs_ib": "0 1.345, .298 1.369, .684 1.290, .736 1.255, .772 1.205, .814 1.189, .843 1.130, .884 1.001, .893 .854, 1 0",
        "nib": "0 1.17, .383 1.187, .607 1.123, .664 1.039, .696 .976, .734 .885, .764 .820, .791 .733, .820 .648, "
        ".842 .582, 1 0",
        "square_nib": ".352 1.178, .536 1.079, .673 .902, .747 .713, .783 .634, .814 .546, .834 .479, .884 .333, "
        ".890 .300, .941 .173",
        "exp_nib": ".187 1.179, .574 1.001, .720 .716, .780 .608, .814 .488, .920 .176",
        "vib": ".25 1.175, .459 1.106, .579 .898, .652 .750, 1 0",
        "hsic": ".307 1.169, .496 1.044, .619 .844, .755 .587",
    },
    "beijing_pm25": {
        "cs_ib": "0 2.18, .108 2.184, .435 2.088, .632 1.984, .702 1.887, .834 1.121",
        "nib": "0 1.97, .309 2.068, .558 1.873, .667 1.611, .720 1.424, .760 1.268, .827 .908",
        "square_nib": ".404 1.986, .485 1.857, .615 1.668, .732 1.328",
        "exp_nib": ".327 2.006, .639 1.504, .667 1.404, .690 1.332, .706 1.275, .719 1.221, .819 .830, .856 .682",
        "vib": ".575 1.584, .748 1.012, .803 .799, .835 .661, .860 .561",
        "hsic": "0 1.96, .347 1.938, .506 1.748, .682 1.258, .750 .957",
    },
}
# [yu2024csib], generalisation study: correlation of the gap with each measure over about 100 networks.
GAP_CORRELATIONS = {
    "mi_xt": {"pearson": 0.66, "spearman": 0.63, "kendall": 0.44},
    "mi_xt_y": {"pearson": 0.69, "spearman": 0.67, "kendall": 0.48},
}


def cs_ib_figure(name: str) -> pd.DataFrame:
    """Return the points of one data set, columns method, r, mi_ty in nats; no row for a data set that the figure lacks.

    I(t;y) is 1/2 log(Var y / MSE): what a Gaussian error of that size leaves of the target. Source: [yu2024csib], fig. 1.
    """
    points = [
        (method, *map(float, point.split())) for method, path in CS_IB_FIGURE.get(name, {}).items() for point in path.split(",")
    ]
    table = pd.DataFrame(points, columns=["method", "r", "bits"])
    return table.assign(mi_ty=table.bits * math.log(2)).drop(columns="bits")
