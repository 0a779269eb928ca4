"""Data carry their truth, splits leak nothing, downloads are what was recorded or are refused."""

import hashlib
import http.server
import math
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from torch import Tensor

from lib.core.types import Table
from lib.data import DATASETS, embedded, prepared, public, sources, synthetic
from lib.workbook import runs
from tests import ROOT

MIRROR = ROOT.parent / "shared/data"
RAW = ROOT / "data/raw"
mirrored = pytest.mark.skipif(not MIRROR.exists(), reason=f"the mirror of public data {MIRROR} is not here")


@pytest.fixture(scope="module", autouse=True)
def pulled():
    """The embedded data, as `make repro` pulls them."""
    if not RAW.exists():
        subprocess.run([sys.executable, "-m", "pipelines.runner.tracked"], cwd=ROOT, check=True)


# Exact tasks.


def test_the_twelve_bit_task_is_the_published_one():
    task = synthetic.twelve_bit()
    assert task.x.shape == (4096, 12) and task.truth["ones"] == int(task.y.sum()) == 2118
    p = 2118 / 4096
    assert task.truth["mi"] == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p), abs=1e-12)
    assert task.truth["mi"] == pytest.approx(0.6926, abs=1e-4)
    words = (task.x.long() * 2 ** torch.arange(11, -1, -1)).sum(1)
    assert torch.equal(words, torch.arange(4096)), "every word once, in counting order"


def test_the_twelve_bit_rule_keeps_the_symmetry_of_the_icosahedron():
    adjacent = torch.zeros(12, 12, dtype=torch.bool)
    for i, touched in enumerate(synthetic.NEIGHBOURS):
        adjacent[i, list(touched)] = True
    assert torch.equal(adjacent, adjacent.T) and (adjacent.sum(1) == 5).all()
    opposite = dict(synthetic.ANTIPODES) | {b: a for a, b in synthetic.ANTIPODES}
    assert sorted(opposite) == list(range(12))
    assert all(not adjacent[i, j] and not (adjacent[i] & adjacent[j]).any() for i, j in opposite.items())
    # A turn of the solid maps vertices so that neighbours stay neighbours; labels must not notice.
    turns = [perm for perm in automorphisms(adjacent) if perm != list(range(12))]
    assert len(turns) == 119
    task = synthetic.twelve_bit()
    for perm in turns[:10]:
        moved = (task.x[:, perm].long() * 2 ** torch.arange(11, -1, -1)).sum(1)
        assert torch.equal(task.y[moved], task.y)


def automorphisms(adjacent: Tensor) -> list[list[int]]:
    found = []

    def grow(image: list[int]) -> None:
        k = len(image)
        if k == 12:
            found.append(image)
            return
        for v in set(range(12)) - set(image):
            if all(adjacent[i, k] == adjacent[image[i], v] for i in range(k)):
                grow([*image, v])

    grow([])
    return found


@mirrored
def test_the_twelve_bit_task_is_the_published_file(tmp_path, monkeypatch):
    from scipy.io import loadmat

    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(MIRROR))
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path))
    stored = loadmat(sources.fetch("tishby_var_u")["var_u.mat"])
    x, y = torch.tensor(stored["F"]).long(), torch.tensor(stored["y"]).flatten().long()
    words = (x * 2 ** torch.arange(11, -1, -1)).sum(1)
    assert torch.equal(synthetic.twelve_bit().y[words], y)


def test_gaussian_pairs_have_their_correlation():
    x, y, truth = synthetic.gaussian_pair(20_000, 0.6, d=2, seed=0)
    assert truth["mi"] == pytest.approx(-math.log(1 - 0.36), rel=1e-12)
    both = torch.corrcoef(torch.cat([x, y], 1).T)
    assert both[:2, 2:].diag().sub(0.6).abs().max() < 0.02
    with pytest.raises(ValueError, match=r"rho must lie in \(-1, 1\), got 1"):
        synthetic.gaussian_pair(10, 1, seed=0)


def test_linear_gaussian_has_the_information_it_says():
    task = synthetic.linear_gaussian(50_000, torch.tensor([1.0, 2.0]), noise=0.5, seed=0)
    assert task.truth["mi"] == pytest.approx(0.5 * math.log(1 + 5 / 0.25), rel=1e-12)
    assert (task.y - task.x @ torch.tensor([[1.0], [2.0]])).var().item() == pytest.approx(0.25, rel=0.03)


# Embedded data.

SIZES = {
    "diabetes": (442, 10),
    "flights": (20_000, 24),
    "breast_cancer": (569, 30),
    "wine": (178, 13),
    "digits": (1797, 64),
    "rotated_digits": (1797, 64),
    "mnist_digits": (5000, 784),
    "twelve_bit": (4096, 12),
}


@pytest.mark.parametrize("name", SIZES)
def test_embedded_tables_have_their_sizes_and_no_gaps(name):
    table = DATASETS[name](RAW)
    assert table.x.shape[0] == SIZES[name][0] == len(table.y)
    assert table.x.shape[1] == SIZES[name][1] == len(table.x_names)
    assert table.x.isfinite().all() and (not table.y.is_floating_point() or table.y.isfinite().all())


def test_embedded_tables_are_scikit_learns():
    own = load_diabetes(scaled=False)
    torch.testing.assert_close(DATASETS["diabetes"](RAW).x, torch.tensor(own.data, dtype=torch.float32))
    for name, loader in (("breast_cancer", load_breast_cancer), ("wine", load_wine)):
        x, y = loader(return_X_y=True)
        torch.testing.assert_close(DATASETS[name](RAW).x, torch.tensor(x, dtype=torch.float32))
        assert torch.equal(DATASETS[name](RAW).y, torch.tensor(y).long())


def test_a_tenth_of_the_pressures_is_missing():
    frame = embedded.frame_of(RAW, "weather")
    assert len(frame) == 26_115
    assert frame.pressure.isna().mean() == pytest.approx(0.1, abs=0.01)
    assert len(DATASETS["weather"](RAW).x) < 26_115


def test_flights_have_heavy_tails():
    y = DATASETS["flights"](RAW).y[:, 0].double()
    z = (y - y.mean()) / y.std()
    assert z.pow(4).mean() > 10  # a normal has 3


def test_rotated_digits_are_digits_turned_by_their_angle():
    table = DATASETS["rotated_digits"](RAW)
    assert table.y.abs().max() <= 45 and table.y.std().item() == pytest.approx(90 / 12**0.5, rel=0.03)
    upright = DATASETS["digits"](RAW).x
    small = table.y[:, 0].abs() < 1
    apart = (table.x - upright * upright.max() / table.x.max()).abs().mean(1)
    assert apart[small].mean() < 0.5 * apart[~small].mean()


def test_every_embedded_set_has_a_card_with_source_and_licence():
    for name in [p.name for p in RAW.iterdir() if p.is_dir()]:
        card = (RAW / name / "card.md").read_text().lower()
        assert "licence" in card and "source" in card, name


def test_a_missing_file_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`dvc pull data.dvc` brings the embedded data"):
        DATASETS["diabetes"](tmp_path)


# Preparation.


def table_of(n=50, d=3, *, labels=False):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=g) * torch.tensor([1.0, 10.0, 0.0][:d]) + 5
    y = torch.randint(0, 3, (n,), generator=g) if labels else x[:, :1] * 2 + 1
    return Table(x, y, [f"x{i}" for i in range(d)], "y")


def written(tmp_path, table, seeds=(0, 1), fractions=(0.6, 0.2, 0.2)):
    prepared.write(tmp_path, table, seeds=list(seeds), fractions=list(fractions))
    return tmp_path


def test_splits_are_seeded_and_every_row_is_in_one_part(tmp_path):
    table = table_of()
    table.x[:, 2] = torch.arange(50)
    data = prepared.read(written(tmp_path, table), [0, 1])
    assert [part.x.shape[:2] for part in data.split] == [(2, 30), (2, 10), (2, 10)]
    for seed in (0, 1):
        column = torch.cat([part.x[seed, :, 2] for part in data.split])
        assert len(column.unique()) == 50
    assert not torch.equal(data.split.train.x[0], data.split.train.x[1])
    again = prepared.read(tmp_path, [1])
    assert torch.equal(again.split.train.x[0], data.split.train.x[1])


def test_statistics_come_from_training_rows_only(tmp_path):
    first = prepared.read(written(tmp_path, table_of()), [0])
    stored = prepared.assignment(50, (0.6, 0.2, 0.2), 0)
    changed = table_of()
    changed.x[stored == 2] += 1000  # only test rows move
    changed.y[stored == 2] -= 77
    second = prepared.read(written(tmp_path, changed), [0])
    assert torch.equal(first.split.train.x, second.split.train.x) and torch.equal(first.split.train.y, second.split.train.y)
    assert torch.equal(first.y_std, second.y_std)
    assert not torch.equal(first.split.test.x, second.split.test.x)
    assert first.split.train.x.mean(1).abs().max() < 1e-5
    torch.testing.assert_close(first.split.train.x[..., :2].std(1, correction=0), torch.ones(1, 2))
    assert (first.split.train.x[..., 2] == 0).all(), "a constant column carries nothing"


def test_labels_stay_labels(tmp_path):
    data = prepared.read(written(tmp_path, table_of(labels=True)), [0])
    assert data.outputs == 3 and data.split.train.y.dtype == torch.int64 and data.y_std.tolist() == [1.0]


def test_a_sample_is_seeded_and_keeps_order():
    table = table_of(200)
    one, two = prepared.sample(table, 20), prepared.sample(table, 20)
    assert torch.equal(one.x, two.x) and one.x.shape == (20, 3)
    assert prepared.sample(table, 0) is table
    with pytest.raises(ValueError, match="rows is 201, but the table has 200; give at most 200, or 0 for all"):
        prepared.sample(table, 201)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fractions": (0.5, 0.5, 0.5)}, "sum to 1"),
        ({"fractions": (0.98, 0.01, 0.01)}, "a part would be empty"),
        ({"seeds": (1, 1)}, "seeds must be distinct"),
    ],
)
def test_refuses_splits_that_cannot_be(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        written(tmp_path, table_of(), **options)


def test_refuses_gaps_and_unknown_seeds(tmp_path):
    table = table_of()
    table.x[3, 1] = float("nan")
    with pytest.raises(ValueError, match="x holds 1 NaN or infinite values; drop or impute those rows"):
        written(tmp_path, table)
    with pytest.raises(ValueError, match=r"holds splits for the seeds \[0, 1\], not for \[7\]; add them to `seeds`"):
        prepared.read(written(tmp_path, table_of()), [7])
    with pytest.raises(FileNotFoundError, match="`dvc repro prepare` writes it"):
        prepared.read(tmp_path / "nowhere", [0])


# Public data.


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(MIRROR))
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path))
    return tmp_path


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
def test_every_mirrored_source_has_the_recorded_hash(mirror):
    held = [name for name in sources.SOURCES if (MIRROR / name).exists()]
    assert set(sources.SOURCES) - set(held) <= {"dsprites"}
    for name in held:
        files = ["data_batch_1"] if name == "cifar10" else None  # the mirror has no other batch
        assert all(path.exists() for path in sources.fetch(name, files).values())


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


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A source of one file, at an address that the test serves."""
    content = bytes(range(256)) * 4000
    known = sources.Source("http://127.0.0.1:9/", {"file.bin": hashlib.sha256(content).hexdigest()}, "MIT", "yu2024csib")
    monkeypatch.setitem(sources.SOURCES, "small", known)
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mirror/small").mkdir(parents=True)
    (tmp_path / "mirror/small/file.bin").write_bytes(content)
    return tmp_path, content


def test_a_wrong_hash_is_refused_by_name_and_nothing_stays(small, monkeypatch):
    place, content = small
    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(place / "mirror"))
    (place / "mirror/small/file.bin").write_bytes(content[:-1] + b"x")
    with pytest.raises(ValueError, match=r"small/file.bin has the hash .* not the recorded .*; it was deleted"):
        sources.fetch("small")
    assert not [p for p in (place / "cache").rglob("*") if p.is_file()]
    (place / "mirror/small/file.bin").write_bytes(content)
    assert sources.fetch("small")["file.bin"].read_bytes() == content


def test_an_incomplete_mirror_and_an_unknown_set_are_named(small, monkeypatch):
    place, _ = small
    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(place / "mirror"))
    shutil.rmtree(place / "mirror/small")
    with pytest.raises(FileNotFoundError, match=r"the mirror has neither .*file.bin nor its .xz"):
        sources.fetch("small")
    with pytest.raises(ValueError, match="unknown public data set 'smal'; known: appliances_energy"):
        sources.fetch("smal")


class Server(http.server.BaseHTTPRequestHandler):
    """Breaks the first answer off half way; answers ranges."""

    content, asked = b"", []

    def do_GET(self):
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.asked.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        end = len(self.content) // 2 if len(self.asked) == 1 else len(self.content)
        self.wfile.write(self.content[start:end])

    def log_message(self, *_):
        pass


def test_a_broken_download_goes_on_where_it_stopped(small, monkeypatch):
    place, content = small
    handler = type("Once", (Server,), {"content": content, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(OSError, match=r"cannot be had: .*; run again to go on"):
            sources.fetch("small")
        assert not (place / "cache/small/file.bin").exists()
        assert sources.fetch("small")["file.bin"].read_bytes() == content
    finally:
        server.shutdown()
        server.server_close()
    assert handler.asked[0] == 0 and handler.asked[-1] > 0, "the second try asked for the missing bytes only"


# The embedded store.


def test_the_store_in_the_repository_is_complete_small_and_detects_corruption(tmp_path):
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    clone, environment = tmp_path / "clone", os.environ | {"DVC_NO_ANALYTICS": "1"}

    def pull():
        command = [sys.executable, "-m", "dvc", "pull", "data.dvc"]
        return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)

    store = [p for p in (clone / ".dvc/store").rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in store) < 6e6
    assert pull().returncode == 0
    assert {p.name for p in (clone / "data/raw").iterdir()} == {p.name for p in RAW.iterdir()}
    shutil.rmtree(clone / "data"), shutil.rmtree(clone / ".dvc/cache")
    largest = max(store, key=lambda p: p.stat().st_size)
    largest.chmod(0o644)
    largest.write_bytes(largest.read_bytes()[:-1] + b"x")
    done = pull()
    assert done.returncode != 0, "a corrupted object was checked out"


def test_params_name_no_public_set():
    named = {entry["source"] for entry in runs.parameters(ROOT)["data"].values()}
    assert not named & set(sources.SOURCES), "make repro must need no network"
