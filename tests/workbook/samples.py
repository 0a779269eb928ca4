"""A plane's points that figures are tested on."""

import pandas as pd


def points(seeds=3):
    rows = [
        {"epoch": e, "layer": layer, "seed": s, "mi_xt": 5 - layer - 0.1 * s + e / 100, "mi_ty": 0.6, "member": s}
        for e in (1, 10, 100)
        for layer in (1, 2)
        for s in range(seeds)
    ]
    return pd.DataFrame(rows)
