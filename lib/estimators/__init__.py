"""Information and dependence: all take x (n, dx), y (n, dy) and keyword options and give a 0-dim tensor."""

from lib.estimators.binning import mi_binning, mi_miller_madow
from lib.estimators.cs import cs_qmi, cs_qmi_normalised
from lib.estimators.entropy import mi_kl, mi_wkl
from lib.estimators.gaussian import mi_gaussian, mi_gaussian_unbiased
from lib.estimators.hsic import cka, hsic, hsic_normalised, hsic_unbiased
from lib.estimators.knn import mi_ksg, mi_ksg2, mi_mixed
from lib.estimators.renyi import mi_renyi, mi_renyi_normalised
from lib.estimators.variational import mi_club, mi_infonce, mi_mine, mi_nwj, mi_smile

# Estimates of the mutual information, nats.
MI = {
    "binning": mi_binning,
    "gaussian": mi_gaussian,
    "gaussian_unbiased": mi_gaussian_unbiased,
    "kl": mi_kl,
    "ksg": mi_ksg,
    "ksg2": mi_ksg2,
    "miller_madow": mi_miller_madow,
    "mixed": mi_mixed,
    "wkl": mi_wkl,
}
# Indices of dependence: they order pairs and are no information.
INDEX = {
    "cka": cka,
    "cs_qmi": cs_qmi,
    "cs_qmi_normalised": cs_qmi_normalised,
    "hsic": hsic,
    "hsic_normalised": hsic_normalised,
    "hsic_unbiased": hsic_unbiased,
    "renyi": mi_renyi,
    "renyi_normalised": mi_renyi_normalised,
}
# Bounds with a critic that is trained on a part of the rows: seeded, neither symmetric nor blind to the order of rows.
BOUNDS = {"club": mi_club, "infonce": mi_infonce, "mine": mi_mine, "nwj": mi_nwj, "smile": mi_smile}
