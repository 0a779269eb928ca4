"""What is passed around is unpacked in its order, and what may be left out is None."""

from lib.core.types import Paired, Rows, Split, Table, Terms, Trajectories, Words


def test_shapes_are_unpacked_in_their_order():
    x, y, truth = Paired(truth={"mi": 1.0}, y="y", x="x")
    assert (x, y, truth) == ("x", "y", {"mi": 1.0})
    train, valid, test = Split(test=Rows("e", "f"), valid=Rows("c", "d"), train=Rows(y="b", x="a"))
    assert [*train, *valid, *test] == [*"abcdef"]
    assert tuple(Table(y_name="y", x_names=["a"], y=1, x=0)) == (0, 1, ["a"], "y")
    assert tuple(Words(vectors=1, names=["a"])) == (["a"], 1)


def test_what_is_not_watched_or_controlled_is_none():
    assert Terms(price=2, fit=1) == (1, 2, None)
    assert Trajectories(truth={}, dt=0.1, x=0) == (0, 0.1, {}, None)
