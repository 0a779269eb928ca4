"""Information and dependence: all take x (n, dx), y (n, dy) and keyword options and give a 0-dim tensor."""

from lib.estimators.binning import mi_binning
from lib.estimators.cs import cs_qmi, cs_qmi_normalised
from lib.estimators.entropy import mi_kl
from lib.estimators.gaussian import mi_gaussian
from lib.estimators.hsic import cka, hsic, hsic_normalised, hsic_unbiased
from lib.estimators.knn import mi_ksg, mi_ksg2, mi_mixed
from lib.estimators.renyi import mi_renyi

# Estimates of the mutual information, nats.
MI = {"binning": mi_binning, "gaussian": mi_gaussian, "kl": mi_kl, "ksg": mi_ksg, "ksg2": mi_ksg2, "mixed": mi_mixed}
# Indices of dependence: they order pairs and are no information.
INDEX = {
    "cka": cka,
    "cs_qmi": cs_qmi,
    "cs_qmi_normalised": cs_qmi_normalised,
    "hsic": hsic,
    "hsic_normalised": hsic_normalised,
    "hsic_unbiased": hsic_unbiased,
    "renyi": mi_renyi,
}
