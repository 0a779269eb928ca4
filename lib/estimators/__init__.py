"""Information and dependence: all take x (n, dx), y (n, dy) and keyword options and give a 0-dim tensor."""

from lib.estimators.binning import mi_binning
from lib.estimators.cs import cs_qmi, cs_qmi_normalised
from lib.estimators.gaussian import mi_gaussian
from lib.estimators.hsic import hsic, hsic_normalised
from lib.estimators.knn import mi_ksg

MI = {"binning": mi_binning, "gaussian": mi_gaussian, "ksg": mi_ksg}  # estimates of the mutual information, nats
INDEX = {"cs_qmi": cs_qmi, "cs_qmi_normalised": cs_qmi_normalised, "hsic": hsic, "hsic_normalised": hsic_normalised}
