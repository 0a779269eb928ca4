"""Downloads are what was recorded or are refused, and go on where they stopped."""

import hashlib
import http.server
import shutil
import threading

import pytest

from lib.data import sources
from lib.workbook import runs
from tests import ROOT
from tests.data.samples import MIRROR, mirrored


@mirrored
def test_every_mirrored_source_has_the_recorded_hash(mirror):
    held = [name for name in sources.SOURCES if (MIRROR / name).exists()]
    assert set(sources.SOURCES) - set(held) <= {"dsprites"}
    for name in held:
        files = ["data_batch_1"] if name == "cifar10" else None  # the mirror has no other batch
        assert all(path.exists() for path in sources.fetch(name, files).values())


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


def test_what_is_asked_for_is_told_whether_it_had_to_come_or_not(small, monkeypatch):
    place, _ = small
    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(place / "mirror"))
    monkeypatch.setenv("HOURGLASS_FETCHED", str(place / "told"))
    sources.fetch("small"), sources.fetch("small", ["file.bin"])
    assert (place / "told").read_text() == 2 * f"small/file.bin {sources.SOURCES['small'].files['file.bin']}\n"


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


def test_params_name_no_public_set():
    named = {entry["source"] for entry in runs.parameters(ROOT)["data"].values()}
    assert not named & set(sources.SOURCES), "make repro must need no network"
