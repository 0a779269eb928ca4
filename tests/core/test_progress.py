"""Bars report to whoever draws, say nothing where nobody looks, and cost nothing where the reader is gone."""

import json
import os
import socket

import pytest

from lib.core import progress


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Whoever draws: a function that gives what has been told so far."""
    monkeypatch.chdir(tmp_path)  # so that the socket's address is short, as some systems want it
    monkeypatch.setenv("HOURGLASS_PROGRESS", "bars")
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.bind("bars")
        own.setblocking(False)

        def told():
            found = []
            while True:
                try:
                    found.append(json.loads(own.recv(4096)))
                except BlockingIOError:
                    return found

        yield told


def test_a_bar_tells_how_far_it_is_and_that_it_has_ended(reader):
    assert list(progress.bar("abc", "letters")) == [*"abc"]
    told = reader()
    assert [one["n"] for one in told] == [0, 1, 2, 3, None]
    assert {(one["title"], one["total"], one["pid"]) for one in told} == {("letters", 3, os.getpid())}
    assert len({one["key"] for one in told}) == 1


def test_reports_wait_for_their_time_unless_there_is_more_to_tell(reader, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 60.0)
    with progress.Report("long", 100) as report:
        report.update(5)
        report.update(2, stage="fit")
        report.update()
    assert [(one["n"], one.get("stage")) for one in reader()] == [(0, None), (7, "fit"), (None, "fit")]


def test_a_bar_that_is_broken_off_has_ended_too(reader):
    with pytest.raises(ZeroDivisionError):
        [1 // n for n in progress.bar([1, 0], "divided")]
    assert [one["n"] for one in reader()][-1] is None


def test_where_nobody_looks_the_items_are_as_they_were(monkeypatch):
    monkeypatch.setenv("HOURGLASS_PROGRESS", "")
    items = [1, 2]
    assert progress.bar(items, "none") is items


def test_a_reader_that_is_gone_costs_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("HOURGLASS_PROGRESS", str(tmp_path / "gone"))
    assert list(progress.bar(range(3), "alone")) == [0, 1, 2]
