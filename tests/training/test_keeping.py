"""Where data are kept: by size against memory, or as asked."""

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.settings import memory
from jaxgen.training import keeping
from jaxgen.training.task import TrainConfig


@pytest.mark.parametrize(
    ("size", "device", "in_memory", "expected"),
    [
        (100, None, True, "device"),
        (100, None, False, "device"),
        (101, None, False, "stream"),
        (101, None, True, "host"),
        (101, 4000, False, "device"),  # a device of its own, larger than the machine's share
        (100, 80, False, "host"),
        (100, 80, True, "host"),
        (101, 80, False, "stream"),
    ],
)
def test_by_size_the_first_place_that_it_fits_into(monkeypatch, size, device, in_memory, expected):
    monkeypatch.setattr(memory, "total", lambda: 400)
    monkeypatch.setattr(keeping, "device_memory", lambda: device)
    assert keeping.place("auto", size, in_memory=in_memory) == expected


@pytest.mark.parametrize("keep", ["device", "host", "stream"])
def test_a_place_that_is_asked_for_is_taken(keep):
    assert keeping.place(keep, 10**15, in_memory=False) == keep


def test_what_is_loaded_whole_does_not_stream():
    with pytest.raises(JaxgenError, match="keep_data stream: this set is loaded whole; pack it"):
        keeping.place("stream", 1, in_memory=True, how_to_stream="pack it")
    with pytest.raises(JaxgenError, match="leave keep_data at auto"):
        keeping.place("stream", 1, in_memory=True)


def numbers(batch_size, log_every=50):
    return TrainConfig(workdir="", steps=100, batch_size=batch_size, log_every=log_every)


@pytest.mark.parametrize(
    ("batch_size", "log_every", "expected"),
    [(8, 8, 8), (8, 9, 5), (8, 50, 8), (8, 17, 6), (8, 3, 3), (80, 50, 1), (1, 50, 50)],
)
def test_the_chunk_of_a_dispatch_is_bounded_by_its_bytes_and_none_is_short(
    batch_size, log_every, expected
):
    assert keeping.MOST_CHUNK == 64 * 2**20
    config = numbers(batch_size, log_every)
    source = keeping.streamed(10, lambda index_KB: {"x": index_KB}, 2**20, config, dict)
    assert source.most_steps == expected


def test_a_batch_that_memory_does_not_hold_is_refused():
    with pytest.raises(JaxgenError, match=r"examples of two steps, 9 each, .* smaller batch_size"):
        keeping.streamed(10, lambda index_KB: {}, 2**60, numbers(9), dict)


def test_arrays_on_the_host_are_gathered_for_each_dispatch():
    arrays = {"x": np.arange(12).reshape(6, 2), "y": np.arange(6)}
    source = keeping.on_host(arrays, numbers(2))
    assert source.size == 6 and source.arrays == {}
    chunk = source.chunk(np.array([[5, 0], [1, 1], [2, 3]]))
    np.testing.assert_array_equal(chunk["x"][0], [[10, 11], [0, 1]])
    np.testing.assert_array_equal(chunk["y"], [[5, 0], [1, 1], [2, 3]])
    assert source.batch(None, {"x": 1}) == {"x": 1}
