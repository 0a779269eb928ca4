"""The data sets that ship with the repository, as tables in their own units; data/raw/NAME/card.md tells of each."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import rotate

from lib.core.types import Table
from lib.data.synthetic import twelve_bit

LARGEST_ANGLE = 45.0  # degrees
ANGLE_SEED = 0


def table(frame: pd.DataFrame, target: str, *, labels: bool = False) -> Table:
    """Return a data frame as a table; rows with a missing value are left out."""
    frame = frame.dropna()
    y = torch.tensor(frame[target].to_numpy(np.int64 if labels else np.float32))
    x = frame.drop(columns=target)
    return Table(torch.tensor(x.to_numpy(np.float32)), y if labels else y[:, None], list(x.columns), target)


def frame_of(raw: Path, name: str) -> pd.DataFrame:
    """Read a set's parquet file, or say how to get it."""
    return pd.read_parquet(present(raw / name / "table.parquet"))


def present(path: Path) -> Path:
    """Return the path if it exists."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; `dvc pull data.dvc` brings the embedded data")
    return path


def images(raw: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a set's images (n, h, w) uint8 and labels (n,)."""
    with np.load(present(raw / name / "images.npz"), allow_pickle=False) as stored:
        return stored["images"], stored["labels"]


def diabetes(raw: Path) -> Table:
    """Progression of diabetes after one year from ten measurements, 442 patients."""
    return table(frame_of(raw, "diabetes"), "progression")


def breast_cancer(raw: Path) -> Table:
    """Benign (1) or malignant (0) from thirty measurements of cell nuclei, 569 samples."""
    return table(frame_of(raw, "breast_cancer"), "benign", labels=True)


def wine(raw: Path) -> Table:
    """One of three cultivars from thirteen chemical measurements, 178 wines."""
    return table(frame_of(raw, "wine"), "cultivar", labels=True)


def weather(raw: Path) -> Table:
    """Air pressure (hPa) from month, hour and the other readings of three airports; hours that lack one are left out."""
    frame = frame_of(raw, "weather")
    columns = ["month", "hour", "temp", "dewp", "humid", "wind_speed", "precip", "visib", "pressure"]
    return table(frame[columns].astype(np.float32), "pressure")


def flights(raw: Path) -> Table:
    """Arrival delay in minutes as known at take-off: schedule, distance, departure delay, origin, carrier; 20 000 flights.

    Delays have heavy tails (early by an hour, late by many) and are left as they are.
    """
    frame = frame_of(raw, "flights")
    coded = pd.get_dummies(frame[["origin", "carrier"]].astype("category"), dtype=np.float32)
    columns = ["month", "day_of_week", "scheduled_hour", "distance", "dep_delay", "arr_delay"]
    return table(pd.concat([frame[columns].astype(np.float32), coded], axis=1), "arr_delay")


def digits(raw: Path) -> Table:
    """Ten classes of handwritten digits, 1 797 images of 8 x 8."""
    return flat(*images(raw, "digits"))


def mnist_digits(raw: Path) -> Table:
    """Ten classes of handwritten digits, 5 000 images of 28 x 28 from MNIST."""
    return flat(*images(raw, "mnist_digits"))


def flat(pictures: np.ndarray, labels: np.ndarray) -> Table:
    """Return images as rows of pixels in [0, 1]."""
    x = torch.tensor(pictures).flatten(1).float() / float(pictures.max())
    return Table(x, torch.tensor(labels.astype(np.int64)), [f"pixel {i}" for i in range(x.shape[1])], "digit")


def turned(pictures: np.ndarray, labels: np.ndarray) -> Table:
    """Return every image turned by its own angle, uniform within 45 degrees of upright, and that angle in degrees."""
    angles = np.random.default_rng(ANGLE_SEED).uniform(-LARGEST_ANGLE, LARGEST_ANGLE, len(pictures))
    whole = [rotate(p.astype(np.float32), a, reshape=False, order=1) for p, a in zip(pictures, angles, strict=True)]
    still = flat(np.stack(whole), labels)
    return still._replace(y=torch.tensor(angles, dtype=torch.float32)[:, None], y_name="angle in degrees")


def rotated_digits(raw: Path) -> Table:
    """Angle in degrees of 1 797 digits of 8 x 8, each turned by up to 45 degrees either way."""
    return turned(*images(raw, "digits"))


def twelve_bit_table(raw: Path) -> Table:
    """The exact 12-bit task; nothing is read."""
    task = twelve_bit()
    return Table(task.x, task.y, [f"bit {i}" for i in range(12)], "label")
