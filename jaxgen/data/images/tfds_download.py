"""Preparing a copy of a set of TensorFlow Datasets (TFDS), with a network and TensorFlow."""

import importlib.util
import os
from pathlib import Path
from typing import Any

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag

CATALOG = "https://www.tensorflow.org/datasets/catalog/overview"


def prepare(name: str, data_dir: Path) -> None:
    """Downloads a set and writes its copy, in array_record format.

    Args:
        name: of the set in TFDS, with its configuration if it has several.
        data_dir: of TFDS; the copy is a folder below it.

    Raises:
        JaxgenError: TensorFlow is missing, TFDS does not know the set, there is no network, or the
            set cannot be prepared.
    """
    # First, since TFDS would find out only after the download.
    if importlib.util.find_spec("tensorflow") is None:
        raise JaxgenError(
            f"{flag('data.download')} needs TensorFlow, with which TFDS prepares {name!r}; `pip "
            "install tensorflow`, or prepare it on another machine"
        )
    # Otherwise it could take all the memory of the GPU on which JAX is to train.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    import requests
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        _refuse_several(name, builder)
        builder.download_and_prepare(file_format="array_record")
    except JaxgenError:
        raise
    except tfds.core.DatasetNotFoundError as error:
        raise JaxgenError(
            f"TFDS {tfds.__version__} has no data set {name!r} ({flag('data.name')}); its sets are "
            f"listed at {CATALOG}"
        ) from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise JaxgenError(
            f"cannot download {name!r}, since its server does not answer; try again with a network "
            f"that reaches it, or prepare it on another machine ({_short(error)})"
        ) from error
    except ImportError as error:
        raise JaxgenError(
            f"TFDS needs another package to prepare {name!r}; install it ({_short(error)})"
        ) from error
    except Exception as error:  # each set's own code raises what it likes
        raise JaxgenError(
            f"TFDS cannot prepare {name!r} in {data_dir} ({type(error).__name__}: {_short(error)})"
        ) from error


def _refuse_several(name: str, builder: Any) -> None:
    """TFDS would take the first configuration, and its copy would not be found by `name` alone."""
    if builder.builder_configs and "/" not in name:
        known = list(builder.builder_configs)
        some = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
        raise JaxgenError(
            f"TFDS set {name!r} has several configurations ({some}); name one, such as "
            f"{flag('data.name')} {name}/{known[0]}"
        )


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:297]}..."
