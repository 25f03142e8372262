"""A model's program as StableHLO, for any number of rows on CPU, CUDA and TPU: without jaxgen.

`jax.export` promises that what it wrote can be read for six months by newer versions of JAX.
"""

from pathlib import Path

import jax
import numpy as np
from jax import export

from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import highest
from jaxgen.training.exporting.exportable import Arrays, Program

PLATFORMS = ("cpu", "cuda", "tpu")
INSTALL = "pip install 'jaxgen[stablehlo]'"
SCRIPT = "run_stablehlo.py"
_STANDALONE = Path(__file__).parent / "standalone"


def write(program: Program, weights: Arrays, folder: Path) -> None:
    """Write the program, with its batch left open, and the script that runs it.

    Raises:
        JaxgenError: JAX cannot export it.
    """
    (folder / f"{program.name}.stablehlo").write_bytes(serialized(program, weights))
    (folder / SCRIPT).write_text(source(SCRIPT))


def serialized(program: Program, weights: Arrays) -> bytes:
    """The program as `jax.export.deserialize` reads it; its arguments are weights and inputs.

    Raises:
        JaxgenError: JAX cannot export it.
    """
    (rows,) = export.symbolic_shape("rows", constraints=("rows >= 1",))

    def struct(array: np.ndarray, *batch: object) -> jax.ShapeDtypeStruct:
        shape = (*batch, *array.shape[len(batch) :])
        return jax.ShapeDtypeStruct(shape, array.dtype)  # type: ignore[arg-type]

    fixed = {name: struct(array) for name, array in weights.items()}
    free = {name: struct(array, rows) for name, array in program.inputs.items()}
    try:
        with highest():  # TPUs would round to bfloat16, GPUs to TF32
            exported = export.export(jax.jit(program.call), platforms=PLATFORMS)(fixed, free)
            return bytes(exported.serialize())
    except ImportError as error:  # of flatbuffers, without which JAX writes none
        raise JaxgenError(f"--stablehlo needs a package: {INSTALL}") from error
    except (TypeError, ValueError, NotImplementedError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise JaxgenError(f"JAX cannot export this model as StableHLO ({first})") from error


def source(name: str) -> str:
    """A file of `standalone`, which exported folders get a copy of."""
    return (_STANDALONE / name).read_text()
