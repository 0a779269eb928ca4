"""Koopman learners: dynamics made linear in well-chosen coordinates. Snapshots are rows everywhere, z' = z K.

Linear fits take `Trajectories` or a list of them and keyword options, and give a `LinearKoopman`; `linear.rollout` forecasts
with any of them, and its mode has no default, as lifting once and lifting anew are two different forecasts. Networks train
side by side in `learner.fit` on objectives (model, x, y, noise, options) -> Terms; `forecast.rollout` is theirs.
"""

from lib.koopman.autoencoder import information_ae_terms, information_vae_terms
from lib.koopman.consistency import consistent_terms
from lib.koopman.dmd import dmd, dmdc, hankel_dmd
from lib.koopman.edmd import edmd, edmdc
from lib.koopman.kernel import kernel_edmd
from lib.koopman.lusch import lusch_terms
from lib.koopman.regression import kkr
from lib.koopman.vamp import vamp_terms

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

# Objectives of networks: (model, x, y, noise, options) -> Terms.
DEEP = {
    "consistent": consistent_terms,
    "information_ae": information_ae_terms,
    "information_vae": information_vae_terms,
    "lusch": lusch_terms,
    "vamp": vamp_terms,
}
