"""Multivariate time series, one column a variate and one row a time, missing values kept as NaN."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from lib.data.embedded import frame_of
from lib.data.public import series

READINGS = ["temp", "pressure"]


def weather(raw: Path) -> pd.DataFrame:
    """Temperature (F) and air pressure (hPa) at three airports, 8 730 hours of 2013.

    A tenth of the pressures is missing, in runs; hours without any record are rows of NaN.
    """
    frame = frame_of(raw, "weather")
    frame["time"] = pd.to_datetime(frame.time_hour)
    wide = frame.pivot(index="time", columns="origin", values=READINGS).asfreq("h")
    wide.columns = [f"{origin} {reading}" for reading, origin in wide.columns]
    return wide


def public(name: str, file: str, raw: Path) -> pd.DataFrame:
    """Return a fetched series; `raw` is not read."""
    return series(name, file)


SERIES: dict[str, Callable[[Path], pd.DataFrame]] = {
    "weather": weather,
    "ETTh1": partial(public, "ett", "ETTh1.csv"),
    "exchange_rate": partial(public, "exchange_rate", "exchange_rate.txt.gz"),
}
