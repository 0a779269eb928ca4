"""Batches of CIFAR-10 are read without being run, are the published ones, and need one download."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest
import torch

from lib.data import cifar, sources
from lib.data.addresses import CIFAR_BATCHES, SOURCES
from tests.data.samples import mirrored


def python_2(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 wrote it, protocol 2 with strings as bytes, without an array around the pixels."""
    content = {"batch_label": "training batch 1 of 5", "labels": labels, "filenames": [f"{i}.png" for i in range(len(labels))]}
    head = pickle.dumps(content, protocol=2)[:-1]  # left open: the pixels follow as a string of Python 2
    pixels = images.tobytes()
    return head + b"U\x04data" + b"T" + len(pixels).to_bytes(4, "little") + pixels + b"s."


def test_a_batch_is_read_without_being_run(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (7, 3, 32, 32), dtype=np.uint8)
    (tmp_path / "batch").write_bytes(python_2(images, [6, 9, 9, 4, 1, 1, 2]))
    found = cifar.batch(tmp_path / "batch")
    np.testing.assert_array_equal(found.images.numpy(), images)
    assert found.y.tolist() == [6, 9, 9, 4, 1, 1, 2] and found.classes[6] == "frog"

    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    (tmp_path / "bad").write_bytes(pickle.dumps({"labels": Harm()}, protocol=2))
    with pytest.raises(ValueError, match=r"bad has 0 labels, \d+ bytes of pixels.*wanted 3072 bytes a label"):
        cifar.batch(tmp_path / "bad")
    assert not (tmp_path / "harm").exists(), "the pickle was run"


def test_what_is_no_batch_is_refused(tmp_path):
    (tmp_path / "text").write_bytes(b"no pickle at all")
    with pytest.raises(ValueError, match=r"text is no batch of CIFAR-10 .*; fetch it again"):
        cifar.batch(tmp_path / "text")
    short = python_2(np.zeros((2, 3, 32, 32), np.uint8), [1, 2, 3])
    (tmp_path / "short").write_bytes(short)
    with pytest.raises(ValueError, match="short has 3 labels, 6144 bytes of pixels"):
        cifar.batch(tmp_path / "short")
    (tmp_path / "eleven").write_bytes(python_2(np.zeros((2, 3, 32, 32), np.uint8), [1, 11]))
    with pytest.raises(ValueError, match=r"labels \[1, 11\]; wanted 3072 bytes a label, which is below 10"):
        cifar.batch(tmp_path / "eleven")


@mirrored
def test_the_first_batch_is_the_published_one(mirror):
    found = cifar.cifar10(["data_batch_1"])
    assert found.images.shape == (10_000, 3, 32, 32) and found.images.dtype == torch.uint8
    assert found.y.bincount().tolist() == [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]
    assert [found.classes[k] for k in found.y[:5].tolist()] == ["frog", "truck", "truck", "deer", "automobile"]
    assert found.images[0, :, 0, 0].tolist() == [59, 62, 63]  # red, green and blue of the frog's first pixel


def test_members_of_an_archive_are_checked_and_need_one_download(tmp_path, monkeypatch):
    images, calls = np.ones((2, 3, 32, 32), np.uint8), []
    whole = tmp_path / "whole.tar.gz"
    with tarfile.open(whole, "w:gz") as archive:
        for name in CIFAR_BATCHES:
            content = python_2(images, [3, CIFAR_BATCHES.index(name)])
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            (tmp_path / name).write_bytes(content)
    hashes = {name: sources.fingerprint(tmp_path / name, "md5:") for name in CIFAR_BATCHES}
    packed = ("cifar-10-python.tar.gz", sources.fingerprint(whole, ""))
    monkeypatch.setitem(SOURCES, "cifar10", SOURCES["cifar10"]._replace(files=hashes, archive=packed))
    monkeypatch.setattr(sources, "download", lambda url, part: (calls.append(url), part.write_bytes(whole.read_bytes())))
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HOURGLASS_DATA_MIRROR", raising=False)
    assert cifar.cifar10().y.tolist() == [3, 0, 3, 1, 3, 2, 3, 3, 3, 4] and cifar.cifar10(["test_batch"]).y.tolist() == [3, 5]
    assert calls == ["https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"]
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path / "other"))
    monkeypatch.setitem(SOURCES, "cifar10", SOURCES["cifar10"]._replace(archive=(packed[0], "0" * 64)))
    with pytest.raises(ValueError, match=r"cifar10/cifar-10-python.tar.gz has the hash \w+, not the recorded 0000"):
        cifar.cifar10()
    with pytest.raises(ValueError, match="unknown file of cifar10 'data_batch_6'; known: data_batch_1"):
        cifar.cifar10(["data_batch_6"])
