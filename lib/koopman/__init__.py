"""Koopman learners: dynamics made linear in well-chosen coordinates. Snapshots are rows everywhere, z' = z K.

Linear fits take `Trajectories` or a list of them and keyword options, and give a `LinearKoopman`; `linear.rollout` forecasts
with any of them, and its mode has no default, as lifting once and lifting anew are two different forecasts.
"""

from lib.koopman.dmd import dmd, dmdc, hankel_dmd
from lib.koopman.edmd import edmd, edmdc
from lib.koopman.kernel import kernel_edmd
from lib.koopman.regression import kkr

# Fits by linear algebra: (data, options) -> LinearKoopman.
LINEAR = {
    "dmd": dmd,
    "dmdc": dmdc,
    "edmd": edmd,
    "edmdc": edmdc,
    "hankel_dmd": hankel_dmd,
    "kernel_edmd": kernel_edmd,
    "kkr": kkr,
}
