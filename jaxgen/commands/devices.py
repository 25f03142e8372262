"""What a command says first: the devices that it uses, and those that JAX cannot use.

What a machine has is read from the system's own files: JAX knows nothing of a GPU or a TPU that it
has no library for.
"""

import importlib.util
import logging
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from jaxgen.nn.precision import Precision, cpu_is_faster
from jaxgen.settings.notes import note

CUDA_DRIVERS = {"cuda13": 580, "cuda12": 525}
"""Extras of jaxgen and the oldest drivers that their libraries take, as JAX's guide says."""
_GOOGLE, _NVIDIA = "0x1ae0", "0x10de"  # on the PCI bus
_DISPLAY = "0x03"
_OTHER_OF_GOOGLE = ("0x01", "0x02")  # disks and network cards of its virtual machines


def tell_devices(
    devices: Sequence[Any] | None = None,
    root: Path = Path("/"),
    precision: Precision = "float32",
) -> None:
    """Name the devices on standard error, right before the first use of one.

    Args:
        devices: those that are used; all that JAX has by default.
        root: where the system's files are.
        precision: of what they are to compute.
    """
    # In its place there is a line of ours, with the command that mends it.
    logging.getLogger("jax._src.xla_bridge").addFilter(_is_no_advice)
    there = jax.devices()
    if jax.process_index():  # the first process speaks for all
        return
    print(f"devices: {in_words(devices or there, there, root)}", file=sys.stderr)
    if precision == "bfloat16" and there[0].platform == "cpu" and not cpu_is_faster(root):
        note(
            "--precision bfloat16: this CPU has neither AVX512_BF16 nor AMX, so that it will not "
            "be faster"
        )
    is_chosen = bool(jax.config.jax_platforms)  # type: ignore[attr-defined]
    if there[0].platform == "cpu" and not is_chosen:
        for sentence in unused(root):
            print(f"warning: {sentence}", file=sys.stderr)


def in_words(devices: Sequence[Any], there: Sequence[Any], root: Path = Path("/")) -> str:
    """Devices by kind and number.

    Args:
        devices: those that are used.
        there: all that JAX has.
        root: where the system's files are.

    Returns:
        Such as `4 x NVIDIA H100 80GB HBM3` or `1 x cpu (AMD EPYC)`.
    """
    counts = Counter(device.device_kind for device in devices)
    words = ", ".join(f"{number} x {_kind(name, root)}" for name, number in counts.items())
    processes = len({device.process_index for device in devices})
    if processes > 1:
        words += f" in {processes} processes"
    return words if len(devices) == len(there) else f"{words}, of {len(there)}"


def unused(root: Path = Path("/")) -> list[str]:
    """What this machine has and JAX, which found a CPU only, cannot use; how to mend it.

    Args:
        root: where the system's files are.

    Returns:
        A sentence for NVIDIA's GPUs, and one for TPUs.
    """
    return [sentence for sentence in (_unused_gpu(root), _unused_tpu(root)) if sentence]


def _unused_gpu(root: Path) -> str:
    """The sentence for a GPU of NVIDIA's; "" where there is none, or it is hidden on purpose."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1", "NoDevFiles"):
        return ""
    here = "this machine has an NVIDIA GPU that JAX cannot use"
    driver = _driver(root)
    fitting = [name for name, oldest in CUDA_DRIVERS.items() if driver >= oldest] or ["cuda12"]
    there = [name for name in CUDA_DRIVERS if _is_installed(f"jax-{name}-plugin")]
    extra = next((name for name in fitting if name in there), fitting[0])
    install = f"pip install 'jaxgen[{extra}]'"
    for other in set(there) - {extra}:  # JAX loads one plugin for CUDA, whichever it finds first
        install = f"pip uninstall jax-{other}-plugin jax-{other}-pjrt, then {install}"
    if not any(root.glob("dev/nvidia[0-9]*")):
        if not any(kind.startswith(_DISPLAY) for kind in _classes(root, _NVIDIA)):
            return ""
        return (
            f"{here}, since no driver of NVIDIA's is seen here: install it (or start the container "
            f"with --gpus all), then {install}"
        )
    if 0 < driver < min(CUDA_DRIVERS.values()):
        return (
            f"{here}: its driver {driver} is too old; install {min(CUDA_DRIVERS.values())} or "
            f"newer, then {install}"
        )
    plugin = f"jax-{extra}-plugin"
    return f"{here} ({_reason(plugin)}): {install}"


def _unused_tpu(root: Path) -> str:
    is_there = any(root.glob("dev/accel[0-9]*")) or any(
        not kind.startswith(_OTHER_OF_GOOGLE) for kind in _classes(root, _GOOGLE)
    )
    if not is_there:
        return ""
    return (
        f"this machine has a Google TPU that JAX cannot use ({_reason('libtpu')}): "
        "pip install 'jaxgen[tpu]'"
    )


def _reason(package: str) -> str:
    if not _is_installed(package):
        return f"{package} is not installed"
    return f"another process has it, or {package} does not fit jax {jax.__version__}"


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package.replace("-", "_")) is not None


def _driver(root: Path) -> int:
    """The first number of the version of NVIDIA's driver; 0 if it is not known."""
    try:
        text = (root / "proc/driver/nvidia/version").read_text()
    except OSError:
        return 0
    found = re.search(r"Kernel Module.*?\s(\d+)\.\d+", text)
    return int(found[1]) if found else 0


def _classes(root: Path, vendor: str) -> list[str]:
    """The PCI classes of a vendor's devices, such as 0x030200."""
    found = []
    for device in root.glob("sys/bus/pci/devices/*"):
        try:
            if (device / "vendor").read_text().strip() == vendor:
                found.append((device / "class").read_text().strip())
        except OSError:  # taken out meanwhile
            continue
    return found


def _kind(name: str, root: Path) -> str:
    """A device's kind; a CPU's with its maker's name."""
    if name != "cpu":
        return name
    try:
        text = (root / "proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+?)\s*$", text, re.MULTILINE)
    model = found[1] if found else platform.machine()
    return f"{name} ({model})" if model else name


def _is_no_advice(record: logging.LogRecord) -> bool:
    return "may be present on this machine" not in record.getMessage()
