"""A point runs in a kernel of its own, sees nothing of other points, and tells its numbers or what went wrong."""

import pandas as pd
import pytest

from pipelines.sweeping.point import Task, flat, keep, numbers, run_point
from tests.pipelines.swept import Swept

pytestmark = pytest.mark.programs


@pytest.fixture
def toy(tmp_path):
    return Swept(tmp_path)


def test_points_see_nothing_of_each_other(toy):
    toy.write("mine", points=range(6))
    (toy.root / "pipelines/sweeps/mine.yaml").write_text("notebook: leaks\npoints: {list: [{x: 1}, {x: 2}]}\n")
    for flag in ((), ("--isolated", "--no-resume")):
        done = toy.python("-m", "pipelines.sweep", "pipelines/sweeps/mine.yaml", "--workers", "1", *flag)
        assert done.returncode == 0, done.stderr
        assert (toy.table("mine").status == "done").all(), toy.table("mine").error.tolist()
        assert toy.table("mine").leaks.tolist() == [0.0, 0.0]
        assert all(toy.table("mine")[name].nunique() == 2 for name in ("numpy", "torch", "random"))


def test_a_point_without_its_result_has_failed(tmp_path):
    with pytest.raises(ValueError, match=r"no scores\.parquet was written; name in `result`"):
        numbers(tmp_path / "scores.parquet")
    pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}).to_parquet(tmp_path / "scores.parquet")
    assert numbers(tmp_path / "scores.parquet") == {"a": 1.5}


def test_a_kernel_that_dies_is_tried_once_more(toy):
    command = toy.write("mine", points=range(3))
    path = toy.root / "pipelines/sweeps/mine.yaml"
    path.write_text(path.read_text().replace("bad: 99", "bad: 99, dies: 1"))
    assert toy.python(*command).returncode == 0
    assert toy.table("mine").status.tolist() == ["done", "failed", "done"] and len(toy.starts()) == 4
    assert toy.table("mine").error[1] == "its kernel died"


def test_nested_numbers_have_dotted_names_and_what_is_no_number_is_left_out():
    assert flat({"a": 1, "b": {"c": 0.5, "d": {"e": True}}, "f": "text", "g": [1]}) == {"a": 1.0, "b.c": 0.5, "b.d.e": 1.0}


def test_a_point_that_has_its_row_is_not_run_again(tmp_path):
    task = Task(str(tmp_path), "no notebook is here", "k0", {}, "metrics.json")
    keep(tmp_path / "rows/k0.json", {"key": "k0", "status": "done"})
    assert run_point(task) == {"key": "k0", "status": "done"}
    assert [path.name for path in tmp_path.rglob("*")] == ["rows", "k0.json"], "something half-written is left"
