"""The game f(x, y) = x y, and what theory says of it."""

import numpy as np
import pytest

from jaxgen.gan import minimax


def test_published_cycle():
    path = minimax.play(1.0, 6)
    assert path[:, 1].tolist() == [1, 2, 1, -1, -2, -1, 1]
    assert path[:, 0].tolist() == [1, -1, -2, -1, 1, 2, 1]


def test_simultaneous_updates_move_away():
    """Each update multiplies the squared distance by 1 + step size²."""
    path = minimax.play(0.5, 8, simultaneous=True)
    squares = (path**2).sum(axis=1)
    np.testing.assert_allclose(squares[1:] / squares[:-1], 1.25, rtol=1e-5)


def test_alternating_updates_keep_their_invariant():
    """x² + y² - step x y is kept by x' = x - s y', y' = y + s x."""
    for step in (0.1, 0.5, 1.0):
        x, y = minimax.play(step, 50).T
        np.testing.assert_allclose(x**2 + y**2 + step * x * y, 2 + step, rtol=1e-4)


def test_the_picture_is_whole_or_not_there(tmp_path, monkeypatch):
    picture = tmp_path / "orbit.png"
    picture.write_bytes(b"old")

    def full(figure, path, **options):
        path.write_bytes(b"half")
        raise OSError("no space")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.raises(OSError, match="no space"):
        minimax.draw(picture, (1.0,), 3)
    assert picture.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["orbit.png"]
