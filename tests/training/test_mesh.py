"""Where arrays lie on a mesh, seen on one device and on devices that are only described."""

from types import SimpleNamespace

import jax
import numpy as np
from jax.sharding import AbstractMesh, PartitionSpec

from jaxgen.training import mesh as meshes


def test_large_arrays_are_split_along_their_longest_axis_that_divides():
    mesh = AbstractMesh((4,), ("data",))
    shapes = {
        "long": jax.ShapeDtypeStruct((64, 128), np.float32),
        "odd": jax.ShapeDtypeStruct((4096, 3), np.float32),
        "first": jax.ShapeDtypeStruct((128, 63), np.float32),
        "none": jax.ShapeDtypeStruct((101, 103), np.float32),
        "small": jax.ShapeDtypeStruct((8, 8), np.float32),
    }
    split = meshes.of_state(shapes, mesh, shard=True)
    assert {name: sharding.spec for name, sharding in split.items()} == {
        "long": PartitionSpec(None, "data"),
        "odd": PartitionSpec("data"),
        "first": PartitionSpec("data"),
        "none": PartitionSpec(),
        "small": PartitionSpec(),
    }
    whole = meshes.of_state(shapes, mesh, shard=False)
    assert {sharding.spec for sharding in whole.values()} == {PartitionSpec()}


def test_a_single_process_feeds_the_whole_batch():
    mesh = meshes.make_mesh()
    assert meshes.own_columns(mesh, 6) == slice(0, 6)
    rows = np.arange(12).reshape(2, 6)
    placed = meshes.place_columns(rows, meshes.split_batch(mesh), 6)
    np.testing.assert_array_equal(np.asarray(placed), rows)


def test_options_follow_the_platform_of_the_mesh():
    def described(platform):
        return SimpleNamespace(devices=np.array([SimpleNamespace(platform=platform)]))

    assert meshes.on("cpu", described("cpu"), a=1) == {"a": 1}
    assert meshes.on("cpu", described("tpu"), a=1) == {}
    assert meshes.on("gpu", described("cuda"), a=1) == {"a": 1}
    assert meshes.on("gpu", described("gpu"), a=1) == {"a": 1}
