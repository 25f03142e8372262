"""What a command says first, on machines that are folders here."""

import configparser
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

from jaxgen.commands import devices
from jaxgen.commands.devices import in_words, tell_devices, unused

OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n"
    "GCC version:  gcc version 13.3.0\n"
)
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32\n"
H100 = ("0x10de", "0x2330", "0x030200")
HDMI_SOUND = ("0x10de", "0x22ba", "0x040300")
V5E = ("0x1ae0", "0x0063", "0x120000")
NETWORK_CARD, DISK = ("0x1ae0", "0x0042", "0x020000"), ("0x1ae0", "0x001f", "0x010802")


def install(monkeypatch, *names):
    """Let just these packages be there."""
    specs = dict.fromkeys(names, "found")
    monkeypatch.setattr(importlib.util, "find_spec", specs.get)


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch):
    """No library of an accelerator, whatever the tests run in."""
    install(monkeypatch)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def machine(tmp_path):
    """Makes a machine of PCI devices, files, and the version of a driver."""

    def make(*pci, files=(), driver=""):
        for number, values in enumerate(pci):
            place = tmp_path / "sys/bus/pci/devices" / f"0000:00:{number:02x}.0"
            place.mkdir(parents=True)
            for name, value in zip(("vendor", "device", "class"), values, strict=True):
                (place / name).write_text(f"{value}\n")
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        if driver:
            (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
            (tmp_path / "proc/driver/nvidia/version").write_text(driver)
        return tmp_path

    return make


def device(kind, process=0):
    return SimpleNamespace(device_kind=kind, process_index=process)


@pytest.mark.parametrize("driver", [OPEN, CLOSED])
def test_a_gpu_is_told_with_what_fits_its_driver(machine, driver):
    extra = "cuda13" if driver == OPEN else "cuda12"
    root = machine(H100, files=["dev/nvidia0", "dev/nvidiactl"], driver=driver)
    assert unused(root) == [
        f"this machine has an NVIDIA GPU that JAX cannot use (jax-{extra}-plugin is not "
        f"installed): pip install 'jaxgen[{extra}]'"
    ]


def test_a_gpu_whose_library_is_there(machine, monkeypatch):
    install(monkeypatch, "jax_cuda12_plugin")
    (told,) = unused(machine(files=["dev/nvidia0"], driver=CLOSED))
    assert "another process has it, or jax-cuda12-plugin does not fit jax" in told
    assert told.endswith("pip install 'jaxgen[cuda12]'")


def test_the_plugin_for_cuda_that_is_there_stays_where_it_can(machine, monkeypatch):
    install(monkeypatch, "jax_cuda12_plugin")
    (told,) = unused(machine(files=["dev/nvidia0"], driver=OPEN))
    assert told.endswith(": pip install 'jaxgen[cuda12]'")


def test_a_plugin_for_cuda_that_needs_a_newer_driver_has_to_go(machine, monkeypatch):
    install(monkeypatch, "jax_cuda13_plugin")
    (told,) = unused(machine(files=["dev/nvidia0"], driver=CLOSED))
    assert told.endswith(
        "(jax-cuda12-plugin is not installed): pip uninstall jax-cuda13-plugin jax-cuda13-pjrt, "
        "then pip install 'jaxgen[cuda12]'"
    )


def test_a_gpu_with_an_old_driver_or_none(machine, tmp_path):
    (told,) = unused(machine(H100, HDMI_SOUND))
    assert "no driver of NVIDIA's is seen here" in told
    assert "--gpus all" in told
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    (told,) = unused(tmp_path)  # the driver's version is not known
    assert told.endswith("'jaxgen[cuda12]'")
    old = CLOSED.replace("535.129.03", "470.57.02")
    (told,) = unused(machine(driver=old))
    assert "its driver 470 is too old; install 525 or newer, then pip install" in told


@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles"])
def test_a_hidden_gpu_is_not_told(machine, monkeypatch, value):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert unused(machine(H100, files=["dev/nvidia0"], driver=OPEN)) == []


def test_a_tpu_is_told(machine, tmp_path):
    told = [
        "this machine has a Google TPU that JAX cannot use (libtpu is not installed): "
        "pip install 'jaxgen[tpu]'"
    ]
    assert unused(machine(NETWORK_CARD, V5E, DISK)) == told
    assert unused(machine(files=["other/dev/accel0"]) / "other") == told


def test_other_things_are_no_accelerators(machine):
    """Google's machines have its network cards and disks; other makers' accelerators a folder."""
    files = ["dev/accel/accel0", "dev/nvidiactl", "dev/vfio/vfio"]
    assert unused(machine(NETWORK_CARD, DISK, HDMI_SOUND, files=files)) == []


def test_devices_in_words(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor : 0\nmodel name\t: AMD EPYC\nflags : a\n")
    cpus = [device("cpu")] * 2
    assert in_words(cpus, cpus, tmp_path) == "2 x cpu (AMD EPYC)"
    gpus = [device("NVIDIA H100 80GB HBM3")] * 4
    assert in_words(gpus, gpus) == "4 x NVIDIA H100 80GB HBM3"
    assert in_words(gpus[:1], gpus) == "1 x NVIDIA H100 80GB HBM3, of 4"
    mixed = [device("NVIDIA A100"), *gpus[:2]]
    assert in_words(mixed, mixed) == "1 x NVIDIA A100, 2 x NVIDIA H100 80GB HBM3"
    pod = [device("TPU v4", process) for process in (0, 0, 1, 1)]
    assert in_words(pod, pod) == "4 x TPU v4 in 2 processes"


def test_a_machine_whose_cpu_has_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr(devices.platform, "machine", lambda: "aarch64")
    assert in_words([device("cpu")], [device("cpu")], tmp_path) == "1 x cpu (aarch64)"


def test_what_is_unused_is_told_unless_the_platform_was_chosen(machine, monkeypatch, capsys):
    root = machine(H100, files=["dev/nvidia0"], driver=OPEN)
    monkeypatch.setattr(devices, "jax", SimpleNamespace(**_jax(None)))
    tell_devices(root=root)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"devices: {jax.device_count()} x cpu")
    assert second.startswith("warning: this machine has an NVIDIA GPU that JAX cannot use")
    monkeypatch.setattr(devices, "jax", SimpleNamespace(**_jax("cpu")))
    tell_devices(root=root)
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setattr(devices, "jax", SimpleNamespace(**_jax(None, process=1)))
    tell_devices(root=root)
    assert capsys.readouterr().err == ""


def _jax(platforms, process=0):
    return {
        "devices": jax.devices,
        "process_index": lambda: process,
        "config": SimpleNamespace(jax_platforms=platforms),
        "__version__": jax.__version__,
    }


def test_jax_gives_no_advice_beside_ours():
    code = (
        "import logging; from jaxgen.commands.devices import tell_devices; tell_devices()\n"
        "log = logging.getLogger('jax._src.xla_bridge')\n"
        "log.warning('An NVIDIA GPU may be present on this machine, but a CUDA-enabled jaxlib')\n"
        "log.warning('CUDA backend failed to initialize')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    lines = done.stderr.splitlines()
    assert lines[0].startswith("devices: ")
    assert "NVIDIA GPU may be present" not in done.stderr
    assert lines[-1].endswith("CUDA backend failed to initialize")


def test_the_extras_that_the_sentences_name_bring_that_part_of_jax():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    extras = setup["options.extras_require"]
    for name in (*devices.CUDA_DRIVERS, "tpu"):
        assert extras[name].split() == [f"jax[{name}]"]


@pytest.mark.parametrize("flags", ["avx2 avx512f", "avx2 avx512_bf16"])
def test_bfloat16_on_a_cpu_without_it_is_said_to_be_no_faster(machine, capsys, flags):
    root = machine()
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(f"model name\t: A CPU\nflags\t\t: {flags}\n")
    tell_devices(root=root)
    tell_devices(root=root, precision="bfloat16")
    told = capsys.readouterr().err
    assert told.count("this CPU has neither AVX512_BF16 nor AMX") == ("bf16" not in flags)
