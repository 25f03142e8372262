"""Where arrays lie on a mesh, seen on one device and on devices that are only described."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

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
    placed = meshes.place_part(rows, meshes.split_batch(mesh), rows.shape)
    np.testing.assert_array_equal(np.asarray(placed), rows)


def test_options_follow_the_platform_of_the_mesh():
    def described(platform):
        return SimpleNamespace(devices=np.array([SimpleNamespace(platform=platform)]))

    assert meshes.on("cpu", described("cpu"), a=1) == {"a": 1}
    assert meshes.on("cpu", described("tpu"), a=1) == {}
    assert meshes.on("gpu", described("cuda"), a=1) == {"a": 1}
    assert meshes.on("gpu", described("gpu"), a=1) == {"a": 1}


def of_processes(*processes):
    """A described mesh: for each device along 'data' the process that has it."""
    devices = [SimpleNamespace(process_index=process) for process in processes]
    return SimpleNamespace(devices=np.array(devices), axis_types=(AxisType.Auto,))


@pytest.mark.parametrize(
    ("processes", "replicas", "rows"),
    [
        ([0] * 4, 1, 1),
        ([0] * 4, 2, 2),
        ([0] * 4, 8, 4),
        ([0] * 4, 3, 1),
        ([0] * 6, 4, 2),
        ([0, 0, 1, 1], 4, 4),
        ([0, 0, 1, 1, 2, 2, 3, 3], 2, 2),  # a row of two processes
        ([0] * 6 + [1] * 6, 3, 1),  # the second row would be of both, and of each a part only
        ([0] * 6 + [1] * 6, 6, 6),
    ],
)
def test_replicas_are_shared_out_in_rows_that_divide_them_and_the_devices(
    monkeypatch, processes, replicas, rows
):
    monkeypatch.setattr(meshes, "Mesh", lambda devices, names, axis_types: (devices, names))
    mesh = of_processes(*processes)
    made = meshes.for_replicas(mesh, replicas)
    if rows == 1:
        assert made is mesh
    else:
        devices, names = made
        assert (devices.shape, names) == ((rows, len(processes) // rows), ("replica", "data"))
        assert (devices.reshape(-1) == mesh.devices).all()


def test_states_of_replicas_lie_along_their_axis_and_then_as_one_does():
    mesh = AbstractMesh((2, 4), ("replica", "data"))
    shapes = {
        "long": jax.ShapeDtypeStruct((6, 64, 128), np.float32),
        "small": jax.ShapeDtypeStruct((6, 16), np.float32),
    }
    split = meshes.of_state(shapes, mesh, shard=True, replicas=6)
    assert {name: sharding.spec for name, sharding in split.items()} == {
        "long": PartitionSpec("replica", None, "data"),
        "small": PartitionSpec("replica"),
    }
    assert meshes.split_batch(mesh, 6).spec == PartitionSpec("replica", None, "data")
    alone = AbstractMesh((4,), ("data",))
    assert meshes.split_batch(alone, 3).spec == PartitionSpec(None, None, "data")
    assert (meshes.share(mesh, shard=False), meshes.share(mesh, shard=True)) == (2, 8)
