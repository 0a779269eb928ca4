"""Who works in a folder holds its lock; who comes later says so and waits, or is refused."""

import fcntl
import os
import threading

import pytest

from pipelines.runner.working import alone


@pytest.fixture
def held(tmp_path):
    """The lock, open, as process 12345 holds it."""
    with (tmp_path / "lock").open("w") as held:
        held.write("12345")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        yield held


def test_who_works_is_written_into_the_lock_and_the_next_is_refused(tmp_path):
    lock = tmp_path / "build/lock"
    with alone(lock, "sweep mine"):
        assert lock.read_text() == str(os.getpid())
        with (
            pytest.raises(ValueError, match="the sweep mine is running already; wait for it, or give yours another name"),
            alone(lock, "sweep mine", wait=False),
        ):
            pass
    with alone(lock, "sweep mine", wait=False):
        pass


def test_who_waits_says_for_whom_and_goes_on(tmp_path, held, capsys):
    end = threading.Timer(0.2, held.close)
    end.start()
    with alone(tmp_path / "lock", "make repro"):
        assert held.closed and (tmp_path / "lock").read_text() == str(os.getpid())
    said = "another make repro (process 12345) works in this folder; waiting for it to end\n"
    assert capsys.readouterr().out == said


def test_a_lock_of_a_process_that_has_ended_is_free(tmp_path, capsys):
    (tmp_path / "lock").write_text("12345")
    with alone(tmp_path / "lock", "make repro", wait=False):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
    assert capsys.readouterr().out == ""
