"""A file is known by what it holds: a change, a new one, one that went."""

import hashlib

from pipelines.runner.hashes import changed, hashes


def test_every_file_below_has_its_hash_and_what_is_not_there_is_missing(tmp_path):
    for name, text in {"a/one": "1", "a/b/two": "2", "a/__pycache__/x.pyc": "3", "alone": "4"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = hashes([tmp_path / "a", tmp_path / "alone", tmp_path / "gone", tmp_path / "alone"])
    wanted = {"a/b/two": "2", "a/one": "1", "alone": "4"}
    wanted = {str(tmp_path / name): hashlib.sha256(text.encode()).hexdigest() for name, text in wanted.items()}
    assert found == wanted | {str(tmp_path / "gone"): "missing"}


def test_what_changed_came_or_went_is_told():
    assert changed({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}) == ["b", "c", "d"]
