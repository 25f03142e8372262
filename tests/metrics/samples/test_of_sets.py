"""Figures of two sets of pictures, named after the network that measured them."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from jaxgen import settings
from jaxgen.data.photographs import weights
from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples import classifier, networks, of_sets
from jaxgen.metrics.samples.frechet import frechet_distance
from jaxgen.metrics.samples.manifold import among_neighbours
from jaxgen.metrics.samples.of_sets import Asked, measured, table
from jaxgen.metrics.samples.report import report
from tests.data.photographs import test_weights

RNG = np.random.default_rng(0)
REAL = RNG.integers(0, 256, (40, 9, 12, 3), np.uint8)
FAKE = RNG.integers(0, 200, (26, 9, 12, 3), np.uint8)


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Two files, measured by a small network in the place of Inception's and of lite0's."""
    tiny = dataclasses.replace(test_weights.TINY, mean=(0.0,) * 3)
    monkeypatch.setattr(networks, "inception", tiny)
    monkeypatch.setattr(networks, "lite0", tiny)
    file = test_weights.written(tmp_path / "tiny.safetensors")
    np.savez(tmp_path / "real.npz", images=REAL)
    np.savez(tmp_path / "fake.npz", arr_0=FAKE)
    return Asked(tmp_path / "fake.npz", tmp_path / "real.npz", "inception", file, batch_size=16)


def features(asked, pictures):
    variables = weights.load(test_weights.TINY, asked.weights).variables
    return np.asarray(test_weights.TINY.encoded(variables, pictures).vector_NF)


def test_figures_are_those_of_the_networks_features(asked):
    found = measured(asked)
    real, fake = features(asked, REAL), features(asked, FAKE)
    assert found["fid_inception"]["value"] == pytest.approx(frechet_distance(real, fake), rel=1e-4)
    neighbours = among_neighbours(real, fake)._asdict()
    for key, right in neighbours.items():
        assert found[f"{key}_inception"]["value"] == pytest.approx(right)
    assert found["images"] == {"real": 40, "fake": 26, "matched": 20}
    assert found["diversity"]["value"] == pytest.approx(FAKE.std() / REAL.std(), rel=0.01)
    assert found["size"] == [9, 12]
    assert found["left_out"] == {"real": [], "samples": []}
    assert found["inception_score"]["value"] >= 1
    json.dumps(found)


def test_every_figure_names_its_network(asked):
    found = measured(asked)
    digest = hashlib.sha256(asked.weights.read_bytes()).hexdigest()
    assert found["network"]["sha256"] == digest
    text = table(found)
    lines = text.splitlines()
    assert lines[0] == f"26 pictures of {asked.samples} against 40 real ones of {asked.real}, 12x9"
    assert lines[1].startswith(f"network: Inception-v3 (weights SHA-256 {digest[:12]}, NOT those")
    assert "FID" not in text.replace("FID (Inception-v3)", "")
    assert not {"fid", "kid", "precision", "density"} & set(found)
    shown = measured(dataclasses.replace(asked, features="lite0"))
    assert "inception_score" not in shown
    assert "FID (EfficientNet-Lite0)" in table(shown)
    assert "FID" not in table(shown).replace("FID (EfficientNet-Lite0)", "")


def test_the_file_that_papers_use_is_told(asked, monkeypatch):
    digest = hashlib.sha256(asked.weights.read_bytes()).hexdigest()
    monkeypatch.setattr(networks, "SHA256", digest)
    assert "those that papers use" in table(measured(asked))
    assert "NOT" not in table(measured(asked))


def test_features_do_not_depend_on_the_batch(asked):
    network = networks.opened("inception", asked.weights)
    sets = of_sets.picture_sets.opened(asked.real, "real")
    right = network.seen(sets, 64, 0).features
    for batch in (1, 7, 39):
        np.testing.assert_allclose(network.seen(sets, batch, 0).features, right, rtol=2e-6)


def test_images_in_memory_are_seen_as_those_of_a_file(asked):
    network = networks.opened("lite0", asked.weights)
    right = network.seen(of_sets.picture_sets.opened(asked.real, "real"), 16, 0).features
    many = np.tile(REAL, (2, 1, 1, 1)).astype(np.float32) / 127.5 - 1  # more than one call takes
    found = network.features(many)
    np.testing.assert_allclose(found, np.tile(right, (2, 1)), rtol=2e-6)
    grey = many[:3, :, :, :1]
    same = network.features(np.repeat(grey, 3, axis=3))
    np.testing.assert_array_equal(network.features(grey), same)
    assert network.features(many[:0]).shape == (0, network.width)


def test_digits_are_measured_by_the_classifier_under_plain_names(asked, tmp_path):
    real, fake = (RNG.integers(0, 256, (n, 28, 28), np.uint8) for n in (30, 20))
    np.savez(tmp_path / "real.npz", images=real)
    np.savez(tmp_path / "fake.npz", images=np.float32(fake) / 127.5 - 1)
    found = measured(dataclasses.replace(asked, features="classifier", weights=None))
    assert found["network"]["title"] == "classifier 'digits'"
    right = report(*(np.float32(x) / 127.5 - 1 for x in (real, fake)), classifier.load("digits"))
    for key in ("fid", "kid", "recall", "coverage", "classifier_score", "diversity"):
        assert found[key] == pytest.approx(right[key], rel=1e-5), key
    assert "FID (classifier 'digits')" in table(found)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"features": "classifier", "weights": None}, r"12x9, and the classifiers know 28x28 only"),
        ({"features": "classifier", "weights": None, "size": 28}, "these are in colour: give --fe"),
        ({"features": "classifier"}, r"--weights .* come with jaxgen; leave it out"),
        ({"real": Path("few.npz")}, r"--real few\.npz has 7 pictures .*: give at least 8"),
        ({"samples": Path("few.npz")}, r"few\.npz are 3x3 and .* 12x9: give --size, to which"),
    ],
)
def test_what_cannot_be_measured_is_refused(asked, changes, match, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    np.savez("few.npz", images=REAL[:7, :3, :3])
    with settings.flags_spelled(), pytest.raises(JaxgenError, match=match):
        measured(dataclasses.replace(asked, **changes))


def test_the_weights_of_another_network_are_refused(asked, monkeypatch):
    monkeypatch.undo()
    with settings.flags_spelled(), pytest.raises(JaxgenError, match=r"has no tensor Conv2d_1a_3x3"):
        measured(asked)


@pytest.mark.slow  # torch-fidelity takes all eigenvalues of a matrix that is not symmetric
def test_the_whole_figure_is_torch_fidelitys(tmp_path):
    from tests.nn.encoders.inception_module import at_work, torch

    fidelity = pytest.importorskip("torch_fidelity")
    from PIL import Image

    folders = {}
    for name, some, shift in (("real", RNG, 0), ("fake", np.random.default_rng(1), 40)):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        for number in range(14):
            small = some.integers(shift, 256, (number % 5 + 3, 4, 3), np.uint8)
            picture = Image.fromarray(small).resize((40, 32), Image.Resampling.BICUBIC)
            picture.save(folders[name] / f"{number}.png")
    real = of_sets.picture_sets.opened(folders["real"], "real")
    (pixels,) = real.blocks(14, of_sets.picture_sets.AS_IT_IS)
    file = tmp_path / "weights.pth"
    torch.save(at_work(pixels).state_dict(), file)
    right = fidelity.calculate_metrics(
        input1=str(folders["fake"]), input2=str(folders["real"]), cuda=False, verbose=False,
        cache=False, save_cpu_ram=True, fid=True, prc=True, kid=False, batch_size=14,
        feature_extractor="inception-v3-compat", feature_extractor_weights_path=str(file),
    )  # fmt: skip
    found = measured(Asked(folders["fake"], folders["real"], "inception", file))
    theirs = right["frechet_inception_distance"]
    assert theirs > 1
    assert found["fid_inception"]["value"] == pytest.approx(theirs, abs=1e-3)
    for key in ("precision", "recall"):
        assert found[f"{key}_inception"]["value"] == pytest.approx(right[key], abs=1e-6)
