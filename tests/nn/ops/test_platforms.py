import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, AxisType

from jaxgen.nn import ops
from jaxgen.nn.batch_axis import AXIS
from jaxgen.nn.ops.platforms import by_platform
from jaxgen.nn.placing import make_mesh

X = np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2) / 32
KERNEL = np.arange(36, dtype=np.float32).reshape(3, 3, 2, 2) / 36

needs_told_platform = pytest.mark.skipif(
    "platform" not in AbstractDevice.__annotations__, reason="JAX 0.10.0 does not tell it"
)


@jax.jit
def sum_or_difference(a, b):
    return by_platform(a, b, cpu=jnp.add, default=jnp.subtract)


def loss(x, kernel):
    return (ops.conv(x, kernel) ** 2).sum()


def derivative(function):
    return jax.grad(lambda x, kernel: function(x, kernel).sum())


def mesh_of_tpus():
    device = AbstractDevice(device_kind="TPU v5e", num_cores=1, platform="tpu")
    return AbstractMesh((1,), (AXIS,), (AxisType.Auto,), abstract_device=device)


@needs_told_platform
def test_a_mesh_around_decides_and_programs_of_two_platforms_are_told_apart():
    with jax.set_mesh(make_mesh(jax.devices()[:1])):
        assert sum_or_difference(3.0, 1.0) == 4
        on_cpu = str(sum_or_difference.trace(3.0, 1.0).jaxpr)
    with jax.sharding.use_abstract_mesh(mesh_of_tpus()):
        on_tpu = str(sum_or_difference.trace(3.0, 1.0).jaxpr)
    assert (on_cpu.count("add"), on_cpu.count("sub")) == (1, 0)
    assert (on_tpu.count("add"), on_tpu.count("sub")) == (0, 1)


def test_without_a_mesh_lowering_decides():
    assert sum_or_difference(3.0, 1.0) == 4
    exported = jax.export.export(sum_or_difference, platforms=("cpu", "tpu"))(3.0, 1.0)
    assert "stablehlo.add" in exported.mlir_module()
    assert "stablehlo.subtract" in exported.mlir_module()


@needs_told_platform
@pytest.mark.parametrize("function", [derivative(loss), derivative(derivative(loss))])
def test_one_form_of_a_convolution_is_traced_with_the_same_values(function):
    gradient = jax.jit(function)
    apart = gradient.trace(X, KERNEL)
    expected = apart.lower().compile()(X, KERNEL)
    with jax.set_mesh(make_mesh(jax.devices()[:1])):
        alone = gradient.trace(X, KERNEL)
        values = alone.lower().compile()(X, KERNEL)
    assert "platform_index" in str(apart.jaxpr)
    assert "platform_index" not in str(alone.jaxpr)
    np.testing.assert_array_equal(values, expected)
