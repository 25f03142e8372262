"""Fewer devices than there are, and batches that do not divide among them."""

from types import SimpleNamespace

import jax
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.settings import flags_spelled
from jaxgen.training.devices import chosen, refuse_uneven


def device(process, number):
    return SimpleNamespace(process_index=process, id=number, device_kind="TPU v5 lite")


def ids(devices):
    return [device.id for device in devices]


TWO_HOSTS = [device(process, number) for number, process in enumerate((0, 0, 0, 0, 1, 1, 1, 1))]
ALTERNATING = [device(number % 2, number) for number in range(8)]


def test_all_by_default():
    assert chosen(0) == jax.devices()
    assert ids(chosen(0, ALTERNATING)) == list(range(8))


@pytest.mark.parametrize(
    ("count", "there", "expected"),
    [
        (1, TWO_HOSTS[:4], [0]),
        (3, TWO_HOSTS[:4], [0, 1, 2]),
        (2, TWO_HOSTS, [0, 4]),
        (6, TWO_HOSTS, [0, 1, 2, 4, 5, 6]),
        (8, TWO_HOSTS, list(range(8))),
        (4, ALTERNATING, [0, 1, 2, 3]),
    ],
)
def test_the_first_ones_of_each_process(count, there, expected):
    assert ids(chosen(count, there)) == expected


@pytest.mark.parametrize(
    ("count", "there", "sentence"),
    [
        (2, TWO_HOSTS[:1], r"--devices 2: there is 1 \(TPU v5 lite\); give at most as many, or 0"),
        (9, TWO_HOSTS, "--devices 9: there are 8"),
        (10**18, TWO_HOSTS, "there are 8"),
        (3, TWO_HOSTS, "--devices 3 does not divide among 2 processes"),
        (1, TWO_HOSTS, "--devices 1 does not divide among 2 processes"),
        (4, TWO_HOSTS[:5], "--devices 4: a process has fewer than 2 devices"),
    ],
)
def test_what_there_is_not_is_refused(count, there, sentence):
    with flags_spelled(), pytest.raises(JaxgenError, match=sentence):
        chosen(count, there)


@pytest.mark.parametrize(
    ("batch_size", "devices", "examples", "advice"),
    [
        (18, 4, None, "--batch-size 16 or 20 does"),
        (18, 4, 5000, "--batch-size 16 or 20 does"),
        (18, 4, 19, "--batch-size 16 does"),
        (3, 4, None, "--batch-size 4 does"),
        (5, 4, 5, "--batch-size 4 does"),
    ],
)
def test_an_uneven_batch_is_told_with_the_nearest_that_divide(
    batch_size, devices, examples, advice
):
    with flags_spelled(), pytest.raises(JaxgenError) as told:
        refuse_uneven(batch_size, devices, examples)
    sentence = f"--batch-size {batch_size} does not divide among {devices} devices"
    assert str(told.value) == f"{sentence}; {advice}"


@pytest.mark.parametrize("batch_size", [3, 4])
def test_fewer_examples_than_devices_are_told_whatever_the_batch(batch_size):
    words = r"have 3 examples for 4 devices, .* give more data, or fewer devices \(--devices\)"
    with flags_spelled(), pytest.raises(JaxgenError, match=words):
        refuse_uneven(batch_size, 4, 3)


def test_an_even_batch_passes():
    for batch_size in (4, 128):
        refuse_uneven(batch_size, 4, 128)
