"""Parameters: overlays may change what is there and nothing else."""

import pytest

from lib import runs


def test_an_overlay_changes_leaves_and_keeps_the_rest():
    base = {"seeds": [0, 1, 2], "runs": {"a": {"epochs": 9, "lr": 0.1}, "b": 1}}
    assert runs.overlay(base, {"seeds": [0], "runs": {"a": {"epochs": 1}}}) == {
        "seeds": [0],
        "runs": {"a": {"epochs": 1, "lr": 0.1}, "b": 1},
    }
    assert base["runs"]["a"]["epochs"] == 9


def test_an_overlay_cannot_add():
    with pytest.raises(ValueError, match=r"changes runs\.a\.epoch, which params\.yaml lacks; it has \['epochs'\]"):
        runs.overlay({"runs": {"a": {"epochs": 9}}}, {"runs": {"a": {"epoch": 1}}})


def test_a_missing_section_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="runs has no 'c'; it has: a, b"):
        runs.section({"runs": {"a": 1, "b": 2}}, "runs.c")


def test_a_missing_result_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="make repro"):
        runs.read_json(tmp_path / "claims.json")


def test_json_with_nan_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Out of range float values"):
        runs.write_json(tmp_path / "x.json", {"a": float("nan")})
