"""Formats of photographs' encoders: files of weights, and sets of features."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.photographs import test_weight_files as samples
from tests.faults.formats import Format, expect


def _weights(form: str, folder: Path) -> None:
    (folder / "weights").write_bytes(samples.FORMS[form]())


def _read_weights(folder: Path) -> Any:
    from jaxgen.data import ordinary_files
    from jaxgen.data.photographs import weight_files, weights

    path = folder / "weights"
    ordinary_files.check(path, "give another --weights", weights.MOST_BYTES)
    with path.open("rb") as file:
        found = weight_files.read(path, file, samples.EXPECTED, "give another --weights")
    for name, shape in samples.EXPECTED.items():
        expect(found[name].shape == shape and found[name].dtype == np.float32, name)
        expect(np.isfinite(found[name]).all(), f"{name} is not finite")
    return found


def _features(folder: Path) -> None:
    from jaxgen.data.photographs import feature_set
    from jaxgen.data.photographs.feature_set import FeatureSet, Shard
    from jaxgen.data.photographs.identity import EncoderIdentity
    from jaxgen.data.photographs.work import sha256_of

    path = folder / feature_set.shard_name(0, 1)
    np.savez(path, vector=np.ones((2, 3), np.float32), grid=np.ones((2, 4, 3), np.float16))
    names, left_out = ("a.png", "b.png"), (("c.png", "it is broken"),)
    shard = Shard(path.stat().st_size, sha256_of(path), names, left_out)
    encoder = EncoderIdentity("lite0", "0" * 64, 224)
    feature_set.write(FeatureSet(folder, encoder, True, "source", (shard,)))


def _read_features(folder: Path) -> Any:
    from jaxgen.data.photographs import feature_set

    found = feature_set.read(folder)
    ((start, features),) = found.read()
    expect(start == 0 and len(features.vector_NF) == len(found.names) == 2, "rows")
    return found.encoder, found.shards, [part.tolist() for part in features]


_SHARD = "features-00000-of-00001.npz"
FORMATS = (
    *(Format(f"weights {form}", "weights", partial(_weights, form), _read_weights)
      for form in samples.FORMS),
    Format("feature set", "features.json", _features, _read_features, "json", whole=True),
    Format("feature shard", _SHARD, _features, _read_features, whole=True),
)  # fmt: skip
