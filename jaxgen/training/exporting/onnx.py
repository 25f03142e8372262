"""A model as ONNX, which PyTorch writes of the module that is exported for it.

jax2onnx, which would take JAX's program, does not know the primitive `platform_index` by which
jaxgen's convolutions choose their form, nor batches without a number in decoding (0.13, the newest
that installs beside orbax-checkpoint 0.12, and 0.17, tried with JAX 0.10.2).
"""

import importlib.util
from pathlib import Path

from jaxgen.errors import JaxgenError

INSTALL = "pip install 'jaxgen[onnx]'"
_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")


def refuse_without() -> None:
    """Refuse to begin where a package is not there.

    Raises:
        JaxgenError: one is missing.
    """
    if missing := [name for name in _PACKAGES if importlib.util.find_spec(name) is None]:
        raise JaxgenError(f"--onnx needs {', '.join(missing)}: {INSTALL}")


def write(source: Path, path: Path, tolerance: float) -> None:
    """Write ONNX of the module in a folder, and see that onnxruntime makes the same of it.

    Args:
        source: the Python file that was just written into the folder.
        path: the ONNX file.
        tolerance: how far outputs may be off.

    Raises:
        JaxgenError: PyTorch cannot, or what it wrote makes something else.
    """
    spec = importlib.util.spec_from_file_location(f"jaxgen_{source.stem}", source)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    try:
        # Not by the loader, which would leave compiled code in the folder.
        exec(compile(source.read_text(), str(source), "exec"), module.__dict__)
        worst = module.to_onnx(path)
    except Exception as error:  # of PyTorch's exporter, of any kind
        first = (str(error).strip().splitlines() or [""])[0]
        raise JaxgenError(
            f"PyTorch cannot write this model as ONNX ({type(error).__name__}: {first[:200]})"
        ) from error
    if not worst <= tolerance:
        raise JaxgenError(f"the ONNX that PyTorch wrote is off by {worst:.2g}; leave --onnx out")
