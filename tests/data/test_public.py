"""Public tables, series and pictures follow the papers' protocols."""

import hashlib

import numpy as np
import pytest

from lib.data import DATASETS, public, sources
from tests.data.samples import RAW, mirrored

PUBLIC = {
    "california_housing": (19_648, 8, -1.9, 1.7),
    "bike_sharing": (17_379, 12, 0.0, 7.0),
    "beijing_pm25": (41_757, 13, 0.0, 7.0),
    "appliances_energy": (19_735, 25, 2.0, 7.0),
}


@mirrored
@pytest.mark.parametrize("name", PUBLIC)
def test_public_tables_by_the_papers_protocols(name, mirror):
    rows, columns, low, high = PUBLIC[name]
    table = DATASETS[name](RAW)
    assert table.x.shape == (rows, columns) and table.x.isfinite().all()
    assert low - 0.1 <= table.y.min() and table.y.max() <= high


@mirrored
def test_california_housing_has_the_published_spread(mirror):
    assert public.california_housing(RAW).y.std().item() == pytest.approx(0.5321, abs=2e-4)


@mirrored
@pytest.mark.parametrize("name", ["ett", "exchange_rate"])
def test_public_series(name, mirror):
    file = {"ett": "ETTh1.csv", "exchange_rate": "exchange_rate.txt.gz"}[name]
    assert public.series(name, file).shape == {"ett": (17_420, 7), "exchange_rate": (7588, 8)}[name]


@mirrored
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_public_images(name, mirror):
    table = DATASETS[name](RAW)
    assert table.x.shape == (60_000, 784) and table.x.min() == 0 and table.x.max() == 1
    assert table.y.unique().tolist() == list(range(10))
    counts = table.y.bincount()
    assert (counts == 6000).all() if name == "fashion_mnist" else counts[1] == 6742


def test_dsprites_are_read_without_unpickling(tmp_path, monkeypatch):
    file = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
    (tmp_path / "mirror/dsprites").mkdir(parents=True)
    images, factors = np.eye(64, dtype=np.uint8)[None].repeat(3, 0), np.arange(18.0).reshape(3, 6)
    metadata = np.array([{"title": "an object, as in the real file"}], dtype=object)
    np.savez(tmp_path / "mirror/dsprites" / file, imgs=images, latents_values=factors, metadata=metadata)
    content = (tmp_path / "mirror/dsprites" / file).read_bytes()
    blob = "gitblob:" + hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    monkeypatch.setitem(sources.SOURCES, "dsprites", sources.SOURCES["dsprites"]._replace(files={file: blob}))
    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path / "cache"))
    found = public.dsprites()
    assert np.array_equal(found[0], images) and np.array_equal(found[1], factors)
    assert (tmp_path / "cache/dsprites" / file).exists()
