"""Public data sets as tables, by the protocols of the papers that used them; files come from lib.data.sources."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from lib.core.types import Table
from lib.data.embedded import flat, table, turned
from lib.data.sources import fetch


def california_housing(raw: Path) -> Table:
    """Log of the median price in 100 000 dollars, eight inputs; the 992 capped prices are dropped. Source: [yu2024csib]."""
    names = ["longitude", "latitude", "age", "rooms", "bedrooms", "population", "households", "income", "price"]
    f = pd.read_csv(fetch("california_housing")["cal_housing.data"], names=names)
    f = f.assign(price=f.price / 1e5, rooms=f.rooms / f.households, bedrooms=f.bedrooms / f.households)
    f = f.assign(household_size=f.population / f.households)[lambda f: f.price < 5]
    f["log_price"] = np.log(f.price)
    order = ["income", "age", "rooms", "bedrooms", "population", "household_size", "latitude", "longitude", "log_price"]
    return table(f[order], "log_price")


def bike_sharing(raw: Path) -> Table:
    """Log of one plus the hourly count of rented bicycles from calendar and weather, 17 379 hours."""
    f = pd.read_csv(fetch("bike_sharing")["hour.csv"])
    f["log_count"] = np.log1p(f.cnt)
    return table(f.drop(columns=["instant", "dteday", "casual", "registered", "cnt"]), "log_count")


def beijing_pm25(raw: Path) -> Table:
    """Log of one plus PM2.5 from time and weather, 41 757 hours; the 2 067 without a reading are left out."""
    f = pd.read_csv(fetch("beijing_pm25")["pollution.csv"])
    f["log_pm25"] = np.log1p(f["pm2.5"])
    wind = pd.get_dummies(f.cbwd.astype("category"), prefix="wind", dtype=np.float32)
    return table(pd.concat([f.drop(columns=["No", "year", "pm2.5", "cbwd"]), wind], axis=1), "log_pm25")


def appliances_energy(raw: Path) -> Table:
    """Log of the energy used by appliances in 10 minutes (Wh) from 24 readings of a house and its weather, 19 735 rows."""
    f = pd.read_csv(fetch("appliances_energy")["energydata_complete.csv"], parse_dates=["date"])
    f["log_energy"] = np.log(f.Appliances)
    f["hour"] = f.date.dt.hour + f.date.dt.minute / 60
    return table(f.drop(columns=["date", "Appliances", "lights", "rv1", "rv2"]), "log_energy")


def idx(path: Path) -> np.ndarray:
    """Read the idx format: two zero bytes, type 8 (uint8), the number of dimensions, big-endian sizes, values."""
    content = gzip.decompress(path.read_bytes())
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{path} begins with {content[:3]!r}, not with the mark of idx bytes; delete it and fetch it again")
    shape = np.frombuffer(content, ">i4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def idx_pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return training images and labels of MNIST or Fashion-MNIST."""
    files = fetch(name)
    return idx(files["train-images-idx3-ubyte.gz"]), idx(files["train-labels-idx1-ubyte.gz"])


def mnist(raw: Path) -> Table:
    """Ten classes of handwritten digits, the 60 000 training images."""
    return flat(*idx_pair("mnist"))


def fashion_mnist(raw: Path) -> Table:
    """Ten classes of clothes, the 60 000 training images."""
    return flat(*idx_pair("fashion_mnist"))


def rotated_mnist(raw: Path) -> Table:
    """Angle in degrees of the 60 000 MNIST training digits, each turned by up to 45 degrees either way."""
    return turned(*idx_pair("mnist"))


def series(name: str, file: str) -> pd.DataFrame:
    """Return a public time series, one column a variable, missing values kept: ETT and the exchange rates."""
    path = fetch(name)[file]
    if name == "exchange_rate":
        return pd.read_csv(path, header=None)
    return pd.read_csv(path, parse_dates=["date"], index_col="date")


def dsprites() -> tuple[np.ndarray, np.ndarray]:
    """Return all 737 280 images of dSprites, (n, 64, 64) uint8 of 0 and 1 (3 GB), and their factors, (n, 6).

    The factors are colour, shape, scale, orientation, x and y position. Source: [matthey2017dsprites].
    """
    (path,) = fetch("dsprites").values()
    with np.load(path, allow_pickle=False) as stored:
        return stored["imgs"], stored["latents_values"]
