"""Forecasting with missing values: masks, windows, forecasters, and the loop that trains all of them alike."""

from lib.forecast.crib import Crib
from lib.forecast.models import DLinear, ITransformer, PatchTST

FORECASTERS = {"crib": Crib, "dlinear": DLinear, "patchtst": PatchTST, "itransformer": ITransformer}
