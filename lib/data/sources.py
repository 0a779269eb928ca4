"""Public data sets by their canonical addresses; every byte is checked against a recorded hash before it is used.

HOURGLASS_CACHE names the folder for downloads (default: the user's cache folder). HOURGLASS_DATA_MIRROR names a folder or URL
that holds the same files as NAME/FILE or, packed, NAME/FILE.xz; it then stands in for all canonical addresses.
"""

import hashlib
import lzma
import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

import pooch
import requests
from tqdm import tqdm

from lib import checks

pooch.get_logger().setLevel("WARNING")
GITHUB = "https://raw.githubusercontent.com"


class Source(NamedTuple):
    """Where a public data set comes from."""

    base: str  # URL that the file names are appended to
    files: dict[str, str]  # file name -> sha256, or "gitblob:" and the id under which git stores the same bytes
    licence: str
    citation: str  # key in references.bib


SOURCES = {
    "california_housing": Source(
        f"{GITHUB}/lapets/course-data-science/8b7f62812de4e3bd86bbc7879f65691e1775d1c9/",
        {"cal_housing.data": "d3d8a1a722ae78f91134862727d27a70b1415e7d512a89140406248687f4b902"},
        "none stated (StatLib)",
        "pace1997sparse",
    ),
    "bike_sharing": Source(
        f"{GITHUB}/udacity/deep-learning-v2-pytorch/c9404fc86181fc3f0906b368697268257f348535/project-bikesharing/Bike-Sharing-Dataset/",
        {"hour.csv": "e03de4ee4ef4dc376ac6e04bf829673c6269e8eba5c60fa121640fa2f829504f"},
        "CC BY 4.0",
        "fanaee2014event",
    ),
    "beijing_pm25": Source(
        f"{GITHUB}/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/",
        {"pollution.csv": "892e9559205d16d32623135c127a3951c12e46ea1e0b3093e107ce89a9fd60e2"},
        "CC BY 4.0",
        "liang2015assessing",
    ),
    "appliances_energy": Source(
        f"{GITHUB}/LuisM78/Appliances-energy-prediction-data/e3e4c27a4ae2b41b21f84b4c9ac2d822d3d0ace1/",
        {"energydata_complete.csv": "2820bf712ad0275cb18b85a05250926100d8e65ebb9f4d2d016ca91ea152a25d"},
        "CC BY 4.0",
        "candanedo2017data",
    ),
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
        "CC BY-SA 3.0, as commonly stated",
        "lecun1998gradient",
    ),
    "fashion_mnist": Source(
        f"{GITHUB}/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
        {
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
        "MIT",
        "xiao2017fashion",
    ),
    "dsprites": Source(
        f"{GITHUB}/google-deepmind/dsprites-dataset/master/",
        {"dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz": "gitblob:d98996d3f8ee1550e06b9d4ed78d0beb478910d5"},
        "Apache 2.0",
        "matthey2017dsprites",
    ),
    "ett": Source(
        f"{GITHUB}/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/",
        {
            "ETTh1.csv": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
            "ETTh2.csv": "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
            "ETTm1.csv": "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
        },
        "CC BY-ND 4.0",
        "zhou2021informer",
    ),
    "exchange_rate": Source(
        f"{GITHUB}/laiguokun/multivariate-time-series-data/7f402f185cc2435b5e66aed13a3b560ed142e023/exchange_rate/",
        {"exchange_rate.txt.gz": "6a4fbb561dcdee43f071a83badbeec9223a335552278348656738b556f1c2e9d"},
        "none stated",
        "lai2018modeling",
    ),
    "tishby_var_u": Source(
        f"{GITHUB}/ravidziv/IDNNs/e53f054ee1fd0fafd90a717835e259a904b195bf/data/",
        {"var_u.mat": "0ba9551878a855396a8de0cbaae620788ede1e7b1eb2b8373bbe017d5ea02036"},
        "MIT, as the same file in artemyk/ibsgd",
        "shwartz2017opening",
    ),
}


def fetch(name: str) -> dict[str, Path]:
    """Return the files of a public data set, {file name: path in the cache}, downloading what is missing.

    Errors: ValueError for an unknown name or for bytes that are not the recorded ones (they are deleted);
    OSError, naming file and address, if a file cannot be had.
    """
    source = checks.known(name, SOURCES, "public data set")
    folder = Path(os.environ.get("HOURGLASS_CACHE") or pooch.os_cache("hourglass")) / name
    for file, wanted in source.files.items():
        if not (folder / file).exists():
            folder.mkdir(parents=True, exist_ok=True)
            obtain(name, file, wanted, folder / file)
    return {file: folder / file for file in source.files}


def obtain(name: str, file: str, wanted: str, target: Path) -> None:
    """Bring one file from the mirror or its canonical address, check it, put it in place."""
    mirror, part = os.environ.get("HOURGLASS_DATA_MIRROR"), target.with_name(f".{target.name}.part")
    if not mirror:
        download(urljoin(SOURCES[name].base, file), part)
    elif mirror.startswith(("http://", "https://")):
        download(f"{mirror.rstrip('/')}/{name}/{file}", part)
    else:
        copy(Path(mirror) / name / file, part)
    if (found := fingerprint(part, wanted)) != wanted:
        part.unlink()
        raise ValueError(
            f"{name}/{file} has the hash {found}, not the recorded {wanted}; it was deleted, fetch it from another place"
        )
    os.replace(part, target)


def copy(path: Path, part: Path) -> None:
    """Copy a file of a mirror folder, unpacking it if only its .xz is there."""
    packed = path.with_name(f"{path.name}.xz")
    if not path.exists() and not packed.exists():
        raise FileNotFoundError(
            f"the mirror has neither {path} nor its .xz; unset HOURGLASS_DATA_MIRROR or complete the mirror"
        )
    with path.open("rb") if path.exists() else lzma.open(packed) as source, part.open("wb") as target:
        shutil.copyfileobj(source, target)


def download(url: str, part: Path) -> None:
    """Download to `part`, going on from the bytes that an earlier try left there."""
    pooch.retrieve(url, known_hash=None, fname=part.name, path=part.parent, downloader=resume)


def resume(url: str, output: str, _: pooch.Pooch) -> None:
    """Pooch downloader that asks for the missing bytes only; what has come survives in NAME.partial."""
    kept = Path(output).with_name(f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.partial")
    have = kept.stat().st_size if kept.exists() else 0
    try:
        with requests.get(url, headers={"Range": f"bytes={have}-"} if have else {}, stream=True, timeout=60) as answer:
            answer.raise_for_status()
            have = have if answer.status_code == requests.codes.partial_content else 0
            size = have + int(answer.headers.get("Content-Length", 0))
            quiet = None if sys.stderr.isatty() else True
            shown = tqdm(total=size, initial=have, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[1], disable=quiet)
            with shown as bar, kept.open("ab" if have else "wb") as file:
                for chunk in answer.iter_content(2**16):
                    bar.update(file.write(chunk))
    except requests.RequestException as error:
        raise OSError(
            f"{url} cannot be had: {error}; run again to go on, or set HOURGLASS_DATA_MIRROR to a folder with it"
        ) from None
    os.replace(kept, output)


def fingerprint(path: Path, wanted: str) -> str:
    """Return the file's hash of the same kind as the wanted one."""
    if wanted.startswith("gitblob:"):
        content = path.read_bytes()
        return "gitblob:" + hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return pooch.file_hash(str(path))
