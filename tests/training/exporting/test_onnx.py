"""ONNX makes what the exported model made, for any number of rows; it is part of the checksums."""

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.training.exporting import folder, onnx, sums
from tests.training.exporting.conftest import GAN, captioner, gan


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(onnx, "_PACKAGES", ("torch_that_is_not_there",))
    with pytest.raises(JaxgenError, match=r"needs torch_that_is_not_there: pip install"):
        folder.write(gan(), tmp_path / "out", folder.Extras(onnx=True))
    assert not (tmp_path / "out").exists()


def test_onnx_of_both_kinds(tmp_path):
    for name in onnx._PACKAGES:
        pytest.importorskip(name, reason="a package of the extra onnx is not there")
    import onnxruntime

    model = gan()
    folder.write(model, tmp_path / "gan", folder.Extras(onnx=True))
    assert "generator.onnx" in sums.verified(tmp_path / "gan", ())
    assert not (tmp_path / "gan" / "__pycache__").exists()
    session = onnxruntime.InferenceSession(tmp_path / "gan" / "generator.onnx")
    noise = np.random.default_rng(0).normal(size=(11, GAN.noise_size)).astype(np.float32)
    label = np.arange(11) % 10
    (made,) = session.run(None, {"rows": np.concatenate([noise, np.eye(10, dtype="f4")[label]], 1)})
    ours = model._sampler.sample_from(model._weights, noise, label)
    np.testing.assert_allclose(made.transpose(0, 2, 3, 1), ours, atol=1e-5)
    folder.write(captioner(), tmp_path / "captioner", folder.Extras(onnx=True))
    assert "captioner.onnx" in sums.verified(tmp_path / "captioner", ())
