"""From a folder of photographs to a set of features, and what kills and damage do to it."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from jaxgen.data.photographs import encoding, feature_set, work
from jaxgen.data.photographs.asked import FeaturesConfig
from jaxgen.data.photographs.extract import extract
from jaxgen.errors import JaxgenError
from tests.data.photographs.conftest import NAMES, vectors


@pytest.fixture
def config(tiny, photographs, tmp_path):
    return FeaturesConfig(
        images=photographs,
        out=tmp_path / "set",
        weights=tiny,
        grid=True,
        batch_size=4,
        shard=5,
    )


def changed(config, **numbers):
    return dataclasses.replace(config, **numbers)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_photograph_has_the_features_that_it_has_alone(config, tiny):
    told = extract(config)
    assert told[-1].startswith("features of 12 pictures")
    found = feature_set.read(config.out)
    assert found.names == NAMES
    assert sorted(contents(config.out)) == [
        *(f"features-0000{n}-of-00003.npz" for n in range(3)), "features.json",
    ]  # fmt: skip
    assert found.encoder.size == 32
    encoder = encoding.opened("lite0", tiny)
    assert found.encoder == encoder.identity
    row = 0
    for start, features in found.read():
        assert start == row
        for vector_F, grid_LC in zip(features.vector_NF, features.grid_NLC, strict=True):
            image = encoder.prepared(config.images / NAMES[row])
            alone = encoder.features(image[None], grid=True)
            np.testing.assert_allclose(vector_F, alone.vector_NF[0], rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(grid_LC, alone.grid_NLC[0], rtol=2e-3, atol=1e-4)
            row += 1
    assert row == 12
    assert len({vector.tobytes() for vector in vectors(found).values()}) == 12


def test_a_second_call_computes_nothing(config, monkeypatch):
    extract(config)
    before = contents(config.out)
    monkeypatch.setattr(work.Work, "_computed", None)
    assert extract(config)[0].endswith("was computed before, from the same pictures")
    assert contents(config.out) == before


def test_what_was_killed_keeps_its_finished_shards(config, monkeypatch):
    extract(config)
    whole = contents(config.out)
    stopped = changed(config, out=config.out.with_name("stopped"))
    computed = work.Work._computed

    def killed(self, number, *rest):
        if number == 2:
            raise KeyboardInterrupt
        return computed(self, number, *rest)

    monkeypatch.setattr(work.Work, "_computed", killed)
    with pytest.raises(KeyboardInterrupt):
        extract(stopped)
    assert not (stopped.out / feature_set.NAME).exists()
    with pytest.raises(JaxgenError, match=r"features\.json cannot be read \(it is missing\)"):
        feature_set.read(stopped.out)
    numbers = []

    def counted(self, number, *rest):
        numbers.append(number)
        return computed(self, number, *rest)

    monkeypatch.setattr(work.Work, "_computed", counted)
    (stopped.out / "features-00000-of-00003.npz").write_bytes(b"damaged meanwhile")
    extract(stopped)
    assert numbers == [0, 2]
    assert contents(stopped.out) == whole


def test_an_edited_photograph_is_computed_anew(config, monkeypatch):
    write = feature_set.write
    monkeypatch.setattr(feature_set, "write", lambda found: None)  # killed just before
    extract(config)
    monkeypatch.setattr(feature_set, "write", write)
    path = config.images / NAMES[0]
    size = path.stat().st_size
    Image.new("RGB", (20, 30), (0, 101, 255)).save(path)
    with path.open("ab") as file:  # the same number of bytes, so that only the time tells
        file.write(bytes(size - path.stat().st_size))
    os.utime(path, ns=(1, 1))
    extract(config)
    before = vectors(feature_set.read(config.out))[NAMES[0]]
    again = changed(config, out=config.out.with_name("again"))
    extract(again)
    np.testing.assert_array_equal(before, vectors(feature_set.read(again.out))[NAMES[0]])


def test_broken_photographs_are_counted_named_and_left_out(config, capsys):
    (config.images / NAMES[1]).write_bytes(b"broken")
    (config.images / NAMES[7]).write_bytes((config.images / NAMES[7]).read_bytes()[:50])
    (config.images / "gone.png").symlink_to("nowhere")
    assert extract(config)[0] == "3 of 13 pictures could not be used"
    errors = capsys.readouterr().err
    assert f"skipped {config.images / NAMES[1]}: cannot identify image file" in errors
    assert "gone.png: it is not a file" in errors
    found = feature_set.read(config.out)
    assert found.names == [name for name in NAMES if name not in (NAMES[1], NAMES[7])]
    left_out = dict(entry for shard in found.shards for entry in shard.left_out)
    assert sorted(left_out) == sorted([NAMES[1], NAMES[7], "gone.png"])
    refusing = changed(config, out=config.out.with_name("other"), broken="refuse")
    with pytest.raises(JaxgenError, match=r"a/1\.png: cannot identify.* mend it, take it away"):
        extract(refusing)


def test_a_folder_without_any_readable_picture_is_refused(config):
    for name in NAMES:
        (config.images / name).write_bytes(b"broken")
    with pytest.raises(JaxgenError, match=r"no picture of .* can be read"):
        extract(config)
    for name in NAMES:
        (config.images / name).unlink()
    with pytest.raises(JaxgenError, match=r"has no pictures: no files that end in"):
        extract(config)


def test_damage_is_noticed_and_mended(config):
    extract(config)
    whole = contents(config.out)
    path = config.out / "features-00001-of-00003.npz"
    for place in (10, len(whole[path.name]) // 2, len(whole[path.name]) - 5):
        damaged = bytearray(whole[path.name])
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(JaxgenError, match=r"00001-of-00003.npz is damaged: its checksum"):
            list(feature_set.read(config.out).read())
    extract(config)
    assert contents(config.out) == whole
    path.unlink()
    with pytest.raises(JaxgenError, match=r"is missing"):
        list(feature_set.read(config.out).read())
    extract(config)
    assert contents(config.out) == whole


def test_an_altered_index_is_refused(config):
    extract(config)
    path = config.out / feature_set.NAME
    told = json.loads(path.read_text())
    for altered in (
        told | {"grid": False},
        {key: value for key, value in told.items() if key != "sha256"},
        [1],
        told | {"encoder": {"name": "lite0"}},
    ):
        path.write_text(json.dumps(altered))
        with pytest.raises(JaxgenError, match=r"features\.json is not as it was written"):
            feature_set.read(config.out)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"size": 16}, "size must be from 32 to 2048 for lite0, got 16"),
        ({"size": 4096}, "size must be from 32 to 2048 for lite0, got 4096"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"shard": 0}, "shard must be at least 1"),
        (
            {"size": 2048, "batch_size": 4096},
            "4096 photographs at once would take 4.4 TB of memory",
        ),
    ],
)
def test_numbers_out_of_range_are_refused(config, numbers, message):
    with pytest.raises(JaxgenError, match=message):
        extract(changed(config, **numbers))
    assert not config.out.exists()


def test_folders_that_do_not_fit_are_refused(config, tmp_path):
    with pytest.raises(JaxgenError, match=r"^images .* is not a folder"):
        extract(changed(config, images=tmp_path / "absent"))
    with pytest.raises(JaxgenError, match=r"^out .*: there is no folder"):
        extract(changed(config, out=tmp_path / "absent" / "set"))
    with pytest.raises(JaxgenError, match=r"is the folder of the pictures"):
        extract(changed(config, out=config.images))
    config.out.mkdir()
    (config.out / "mine.txt").write_text("mine")
    with pytest.raises(JaxgenError, match=r"has something else in it \(mine.txt\)"):
        extract(config)
    (config.out / "mine.txt").unlink()
    extract(config)
    for other in (
        changed(config, size=64),
        changed(config, grid=False),
        changed(config, crop="whole"),
    ):
        with pytest.raises(JaxgenError, match="features of other pictures or of another encoder"):
            extract(other)


def test_weights_that_give_no_numbers_are_refused(config, tiny):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(tiny)
    save_file(arrays | {"bn.weight": np.full(4, 3e38, np.float32)}, tiny)
    with pytest.raises(JaxgenError, match=r"gives features that are not finite"):
        extract(config)


SHARDED = """
import dataclasses, sys
from pathlib import Path
import jax
from jaxgen.data.photographs import encoding
from jaxgen.data.photographs.asked import FeaturesConfig
from jaxgen.data.photographs.extract import extract
from tests.data.photographs.test_weights import TINY
assert jax.device_count() == 4
encoding.ENCODERS["lite0"] = TINY
images, out, weights = map(Path, sys.argv[1:])
extract(FeaturesConfig(images=images, out=out, weights=weights, grid=True, batch_size=6, shard=5))
encoder = encoding.opened("lite0", weights)
with encoding.placing.around(encoder._variables):
    import numpy as np
    lowered = encoder._program.lower(encoder._variables, np.zeros((8, 32, 32, 3), np.uint8))
text = lowered.compile().as_text()
assert "f32[2,16,16,4]" in text and "all-reduce" not in text and "all-to-all" not in text, text
"""


def test_on_several_devices_each_encodes_its_share(config, tiny):
    extract(config)
    out = config.out.with_name("sharded")
    done = subprocess.run(
        [sys.executable, "-c", SHARDED, str(config.images), str(out), str(tiny)],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, four = (vectors(feature_set.read(folder)) for folder in (config.out, out))
    assert one.keys() == four.keys()
    for name, vector in one.items():
        np.testing.assert_allclose(four[name], vector, rtol=1e-5, atol=1e-6)


def test_a_killed_process_goes_on(tiny, photographs, tmp_path):
    """SIGKILL in the middle, as a user's machine may do."""
    out, slow = tmp_path / "set", tmp_path / "slow.py"
    slow.write_text(
        "import sys, time\nfrom pathlib import Path\n"
        "from jaxgen.data.photographs import encoding, work\n"
        "from jaxgen.data.photographs.asked import FeaturesConfig\n"
        "from jaxgen.data.photographs.extract import extract\n"
        "from tests.data.photographs.test_weights import TINY\n"
        "encoding.ENCODERS['lite0'] = TINY\n"
        "computed = work.Work._computed\n"
        "def slowly(self, number, *rest):\n"
        "    print('shard', number, flush=True)\n"
        "    if number == 1 and sys.argv[4:]: time.sleep(60)\n"
        "    return computed(self, number, *rest)\n"
        "work.Work._computed = slowly\n"
        "images, out, weights = map(Path, sys.argv[1:4])\n"
        "extract(FeaturesConfig(images=images, out=out, weights=weights, shard=5))\n"
    )
    command = [sys.executable, "-c", slow.read_text(), *map(str, (photographs, out, tiny))]
    first = subprocess.Popen([*command, "sleep"], stdout=subprocess.PIPE, text=True)
    while "shard 1" not in first.stdout.readline():
        assert first.poll() is None
    time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["shard", "1", "shard", "2"]
    assert "going on: 5 pictures were done before" in done.stderr
    assert feature_set.read(out).names == NAMES
