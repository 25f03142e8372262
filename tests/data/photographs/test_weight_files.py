"""Files of weights: what they hold is read, and nothing in them is ever executed."""

import io
import json
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from jaxgen.data.photographs import weight_files
from jaxgen.errors import JaxgenError

KERNEL = np.float32(np.arange(24).reshape(2, 3, 4))
BIAS = np.float32([1, -2])
EXPECTED = {"a.weight": (2, 3, 4), "a.bias": (2,)}


class Global:
    """Becomes the name of something of another package's."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Storage:
    def __init__(self, kind, key, size):
        self.told = ("storage", Global("torch", kind), key, "cpu", size)


class Reduced:
    def __init__(self, called, *arguments):
        self.called, self.arguments = called, arguments


def pickled(value):
    """A pickle of protocol 2 by hand, as far as weights need it."""
    out = io.BytesIO()
    out.write(b"\x80\x02")

    def put(value):
        if isinstance(value, Global):
            out.write(f"c{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Storage):
            put(value.told)
            out.write(b"Q")
        elif isinstance(value, Reduced):
            put(value.called)
            put(value.arguments)
            out.write(b"R")
        elif isinstance(value, str):
            text = value.encode()
            out.write(b"X" + struct.pack("<I", len(text)) + text)
        elif isinstance(value, bool):
            out.write(b"\x88" if value else b"\x89")
        elif isinstance(value, int):
            out.write(
                b"J" + struct.pack("<i", value)
                if abs(value) < 2**31
                else b"\x8a" + bytes([10]) + value.to_bytes(10, "little", signed=True)
            )
        elif isinstance(value, tuple):
            out.write(b"(")
            for item in value:
                put(item)
            out.write(b"t")
        elif isinstance(value, list):
            out.write(b"](")
            for item in value:
                put(item)
            out.write(b"e")
        elif isinstance(value, dict):
            out.write(b"}(")
            for item in value.items():
                for part in item:
                    put(part)
            out.write(b"u")
        else:
            raise TypeError(value)

    put(value)
    out.write(b".")
    return out.getvalue()


def tensor(array, key, kind="FloatStorage"):
    strides = tuple(stride // array.itemsize for stride in array.strides)
    arguments = (
        Storage(kind, key, array.size), 0, array.shape, strides, False,
        Reduced(Global("collections", "OrderedDict")),
    )  # fmt: skip
    return Reduced(Global("torch._utils", "_rebuild_tensor_v2"), *arguments)


ARRAYS = {"a.weight": KERNEL, "a.bias": BIAS}


def stream(described, arrays=ARRAYS):
    """PyTorch's older format."""
    keys = [str(number) for number in range(len(arrays))]
    parts = [
        pickled(0x1950A86A20F9469CFC6C),
        pickled(1001),
        pickled({"protocol_version": 1001, "little_endian": True}),
        pickled(described),
        pickled(keys),
    ]
    for array in arrays.values():
        parts.append(struct.pack("<q", array.size) + array.tobytes())
    return b"".join(parts)


def zipped(described, arrays=ARRAYS, compression=zipfile.ZIP_STORED):
    """PyTorch's newer format."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled(described))
        archive.writestr("archive/byteorder", "little")
        for number, array in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{number}", array.tobytes())
    return out.getvalue()


def safetensors(arrays=ARRAYS):
    header, start = {"__metadata__": {"format": "pt"}}, 0
    for name, array in arrays.items():
        stop = start + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in arrays.values())


def described(arrays=ARRAYS, **kinds):
    return {name: tensor(array, str(n), **kinds) for n, (name, array) in enumerate(arrays.items())}


FORMS = {
    "stream": lambda arrays=ARRAYS: stream(described(arrays), arrays),
    "zip": lambda arrays=ARRAYS: zipped(described(arrays), arrays),
    "safetensors": safetensors,
}


def read(contents, tmp_path, expected=EXPECTED):
    path = tmp_path / "weights"
    path.write_bytes(contents)
    with path.open("rb") as file:
        return weight_files.read(path, file, expected, "give another --weights")


@pytest.mark.parametrize("form", FORMS)
def test_arrays_come_as_they_are(form, tmp_path):
    found = read(FORMS[form](), tmp_path)
    assert list(found) == list(EXPECTED)
    np.testing.assert_array_equal(found["a.weight"], KERNEL)
    np.testing.assert_array_equal(found["a.bias"], BIAS)
    assert found["a.bias"].dtype == np.float32


@pytest.mark.parametrize("form", FORMS)
def test_every_truncated_file_is_refused(form, tmp_path):
    contents = FORMS[form]()
    for length in range(0, len(contents), 7):
        with pytest.raises(JaxgenError, match=r"weights .*; give another --weights$") as error:
            read(contents[:length], tmp_path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("form", FORMS)
def test_flipped_bytes_never_raise_anything_else(form, tmp_path):
    contents, rng = FORMS[form](), np.random.default_rng(0)
    for place in rng.integers(len(contents), size=300):
        damaged = bytearray(contents)
        damaged[place] ^= int(rng.integers(1, 256))
        try:
            read(bytes(damaged), tmp_path)
        except JaxgenError as error:
            assert "\n" not in str(error)


def test_strides_and_views_of_one_storage(tmp_path):
    shared = np.float32(np.arange(10))
    storage = Storage("FloatStorage", "0", 10)
    build = Global("torch._utils", "_rebuild_tensor_v2")
    transposed = Reduced(build, storage, 2, (3, 2), (1, 3), False, {})
    parameter = Reduced(Global("torch._utils", "_rebuild_parameter"), transposed, True, {})
    told = {"t": transposed, "p": parameter, "n.num_batches_tracked": transposed}
    for contents in (stream(told, {"0": shared}), zipped(told, {"0": shared})):
        found = read(contents, tmp_path, {"t": (3, 2), "p": (3, 2)})
        np.testing.assert_array_equal(found["t"], shared[2:8].reshape(2, 3).T)
        np.testing.assert_array_equal(found["p"], found["t"])


def test_half_precision_and_bfloat16_become_float32(tmp_path):
    half = {"a.weight": KERNEL.astype(np.float16), "a.bias": BIAS.astype(np.float16)}
    found = read(stream(described(half, kind="HalfStorage"), half), tmp_path)
    np.testing.assert_array_equal(found["a.weight"], KERNEL)
    brain = {"a.weight": (KERNEL.view(np.uint32) >> 16).astype(np.uint16)}
    told = described(brain, kind="BFloat16Storage")
    found = read(zipped(told, brain), tmp_path, {"a.weight": (2, 3, 4)})
    np.testing.assert_array_equal(found["a.weight"], KERNEL)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"a.weight": KERNEL},
            r"no tensor a.bias of shape \(2,\): are these the weights of anothe",
        ),
        (ARRAYS | {"a.bias": KERNEL}, r"tensor a.bias has shape \(2, 3, 4\) instead of \(2,\)"),
        (ARRAYS | {"b": BIAS}, "has a tensor 'b' that this network lacks: are these"),
        (ARRAYS | {"a.bias": np.float32([1, np.nan])}, "tensor a.bias has a value that is not fin"),
    ],
    ids=["missing", "shape", "more", "not finite"],
)
def test_weights_of_another_network_are_refused_by_the_tensors_name(
    form, arrays, message, tmp_path
):
    with pytest.raises(JaxgenError, match=f"weights .*{message}"):
        read(FORMS[form](arrays), tmp_path)


class Touch:
    """What a malicious pickle is: to unpickle it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_pickle_is_not_executed(protocol, tmp_path):
    made = tmp_path / "made"
    evil = pickle.dumps(OrderedDict(weight=Touch(made)), protocol)
    pickle.loads(evil)["weight"].close()
    assert made.exists()  # so it does if it is unpickled
    made.unlink()
    old = b"".join(
        [pickled(0x1950A86A20F9469CFC6C), pickled(1001), pickled({"little_endian": True}), evil]
    )
    new = io.BytesIO()
    with zipfile.ZipFile(new, "w") as archive:
        archive.writestr("archive/data.pkl", evil)
    for contents in (evil, old, new.getvalue()):
        with pytest.raises(JaxgenError, match=r"weights .*; give another --weights$") as error:
            read(contents, tmp_path)
        assert not made.exists()
    if protocol >= 2:
        assert "names 'io.open' to be called" in str(error.value)
        assert "nothing was executed" in str(error.value)


@pytest.mark.parametrize(
    "called",
    [
        Global("os", "system"),
        Global("builtins", "eval"),
        Global("torch", "load"),
        Global("torch.storage", "_load_from_bytes"),
        Global("collections", "OrderedDict.__init__"),
    ],
)
def test_names_that_are_no_tensors_are_refused(called, tmp_path):
    for contents in (
        stream({"x": Reduced(called, "echo")}),
        zipped({"x": Reduced(called, "echo")}),
    ):
        with pytest.raises(JaxgenError, match=r"names '.*' to be called.*nothing was executed"):
            read(contents, tmp_path)


def test_instructions_that_no_weights_need_are_refused(tmp_path):
    known = {o.name for o in pickletools.opcodes}
    assert {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "PERSID"} <= known
    for program in (b"(ios\nsystem\n.", b"\x80\x02}\x81.", b"\x80\x02\x82\x01.", b"\x80\x02P1\n."):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("archive/data.pkl", program)
        with pytest.raises(JaxgenError, match=r"has the pickle instruction .*nothing was executed"):
            read(out.getvalue(), tmp_path)


def test_what_announces_more_than_it_holds_takes_no_memory(tmp_path):
    huge = Storage("FloatStorage", "0", 2**39)
    build = Global("torch._utils", "_rebuild_tensor_v2")
    told = {"a.weight": Reduced(build, huge, 0, (2, 3, 4), (12, 4, 1), False, {})}
    told["a.bias"] = told["a.weight"]
    for contents in (stream(told, {"0": KERNEL}), zipped(told, {"0": KERNEL})):
        with pytest.raises(JaxgenError, match=r"tensor a.weight is not in the file, or not whole"):
            read(contents, tmp_path)
    with pytest.raises(JaxgenError, match=r"compressed, or too large"):
        read(zipped(described(), compression=zipfile.ZIP_DEFLATED), tmp_path)
    header = struct.pack("<Q", 2**40) + b"{}"
    with pytest.raises(JaxgenError, match=r"announces a header of"):
        read(header, tmp_path)


@pytest.mark.parametrize("contents", [b"", b"hello", b"\x80\x02.", b"PK\x03\x04", pickled([1, 2])])
def test_other_files_are_refused(contents, tmp_path):
    with pytest.raises(JaxgenError, match=r"weights .*give another --weights$"):
        read(contents, tmp_path)


def test_a_checkpoint_that_holds_more_than_tensors_is_refused(tmp_path):
    told = {"state_dict": described(), "epoch": 3}
    for contents in (stream(told), zipped(told)):
        with pytest.raises(
            JaxgenError, match=r"has 'state_dict', which is no tensor: save a modul"
        ):
            read(contents, tmp_path)
