"""An exported model's folder: how it is written, and how it is read.

    model.safetensors    weights by dotted names
    config.json          the whole configuration, what the data said of the model, figures
    check.safetensors    a few inputs, and what the model made of them
    README.md            the model card
    SHA256SUMS           of all files

and, where they were asked for, a StableHLO program (`stablehlo`), a PyTorch state dict with the
source of its module, and ONNX.
"""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import jaxgen
from jaxgen.display.replacing import PARTIAL, sync
from jaxgen.errors import JaxgenError
from jaxgen.settings.memory import refuse_too_much
from jaxgen.training import configs
from jaxgen.training.exporting import card, onnx, stablehlo, sums
from jaxgen.training.exporting.exportable import (
    CanExport,
    Exportable,
    TorchForm,
    difference,
    flat,
    nested,
)
from jaxgen.training.run_folder import read_json, write_json
from jaxgen.training.task import Saved, TrainConfig, TrainedModel

FORMAT = 1
WEIGHTS, CONFIG, CHECK, CARD = "model.safetensors", "config.json", "check.safetensors", "README.md"
_NEEDED = (WEIGHTS, CONFIG, CHECK, CARD)
_KEYS = {
    "exported", "jaxgen", "commit", "config", "about", "step", "seed", "program", "tolerance",
    "figures", "source", "license",
}  # fmt: skip
_MOST_ARRAYS = 10_000
_FIT = "this folder's files do not belong together; restore it from a copy"


@dataclass(frozen=True)
class Extras:
    """What is written beside the weights, and said of them."""

    stablehlo: bool = False
    torch: bool = False
    onnx: bool = False
    """ONNX too, which PyTorch makes of what `torch` writes."""
    license: str = ""
    """As the Hugging Face Hub calls it; "" for none."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What was measured, as `jaxgen evaluate` gives it."""
    source: str = ""
    """Where the weights are from, a sentence; "" for a run of jaxgen's."""


def write(model: CanExport, out: Path, extras: Extras) -> list[str]:
    """Write an exported model; the folder is whole, or not there.

    Args:
        model: what is exported.
        out: the folder, which must not hold anything.
        extras: what else is written.

    Returns:
        The names of the files.

    Raises:
        JaxgenError: there is something, or a form that is asked for does not exist.
        OSError: it cannot be written.
    """
    _refuse_occupied(out)
    if extras.onnx:
        onnx.refuse_without()
    exported = model.exportable()
    # Before anything is written: there may be none.
    torch = exported.torch() if extras.torch or extras.onnx else None
    temporary = out.with_name(f"{PARTIAL}{out.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        _write_files(exported, temporary, extras, torch)
        sums.write(temporary)
        for path in temporary.iterdir():
            sync(path)
        sync(temporary)
        if out.exists():
            out.rmdir()  # an empty one
        temporary.rename(out)
        sync(out.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return sorted(path.name for path in out.iterdir())


def _refuse_occupied(out: Path) -> None:
    if not out.name:
        raise JaxgenError(f"--out {out}: name a folder")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise JaxgenError(f"--out {out}: there is something already; name another folder")


def _write_files(
    exported: Exportable, folder: Path, extras: Extras, torch: TorchForm | None
) -> None:
    program, weights = exported.program, flat(exported.weights)
    _refuse_other_kinds(weights, "this model")
    outputs = program.outputs(weights)
    if not all(np.isfinite(array).all() for array in outputs.values()):
        raise JaxgenError("this model makes what is not finite: it has diverged")
    _save(folder / WEIGHTS, weights)
    check = {f"inputs.{name}": array for name, array in program.inputs.items()}
    _save(folder / CHECK, check | {f"outputs.{name}": array for name, array in outputs.items()})
    record = {
        "exported": FORMAT,
        "jaxgen": jaxgen.__version__,
        "commit": configs.commit(),
        "config": without_places(configs.to_json(exported.config)),
        "about": exported.saved.about,
        "step": exported.saved.step,
        "seed": exported.config.seed,
        "program": program.name,
        "tolerance": program.tolerance,
        "figures": dict(extras.figures),
        "source": extras.source,
        "license": extras.license,
    }
    write_json(folder / CONFIG, record)
    if extras.stablehlo:
        stablehlo.write(program, weights, folder)
    if torch:
        _save(folder / f"torch_{program.name}.safetensors", torch.arrays)
        (folder / f"torch_{program.name}.py").write_text(torch.source)
        if extras.onnx:
            source = folder / f"torch_{program.name}.py"
            onnx.write(source, folder / f"{program.name}.onnx", program.tolerance)
    sizes = {"weights": sum(array.size for array in weights.values())}
    has = {"stablehlo": extras.stablehlo, "torch": torch is not None, "onnx": extras.onnx}
    (folder / CARD).write_text(card.text(exported, record, sizes, has))


def without_places(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without the names of folders and files of the machine that it is from."""
    kept = {name: value for name, value in config.items() if name != "workdir"}
    return json.loads(json.dumps({**kept, "data": _placeless(kept.get("data"))}))


def _placeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _placeless(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_placeless(item) for item in value]
    return "" if isinstance(value, str) and ("/" in value or "\\" in value) else value


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    import safetensors.numpy

    # The library writes the memory from where an array begins on, whatever its strides.
    rows = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    path.write_bytes(safetensors.numpy.save(rows))


def is_exported(path: Path) -> bool:
    """Whether a folder holds an exported model, sound or not, and not a run."""
    return any((path / name).is_file() for name in (sums.NAME, WEIGHTS))


def read(path: Path, precision: Any = None, data_dir: str = "") -> TrainedModel:
    """Open an exported model, and see that it makes what it made when it was exported.

    Args:
        path: its folder.
        precision: what it computes in; as it was trained if None.
        data_dir: where the data are, for what needs them.

    Returns:
        What its configuration makes of it, as of a run.

    Raises:
        JaxgenError: a file is missing or altered, or the model makes something else.
    """
    sums.verified(path, _NEEDED)
    record = read_record(path)
    placed = {**record["config"], "workdir": str(path)}
    config = configs.from_json(placed, TrainConfig, f"{path / CONFIG}: config")
    arrays = _load(path / WEIGHTS)
    _refuse_other_kinds(arrays, str(path / WEIGHTS))
    saved = Saved(nested(arrays), record["about"], record["step"], exported=path)
    model = config.restored(saved)
    _refuse_other(model, path, record)
    changed = configs.placed(config, data_dir)
    if precision:
        changed = dataclasses.replace(changed, precision=precision)
    return model if changed == config else changed.restored(saved)


def read_record(path: Path) -> dict[str, Any]:
    """What an exported folder's `config.json` holds.

    Raises:
        JaxgenError: it is not the one of an exported model.
    """
    record = read_json(path / CONFIG)
    if not isinstance(record, dict) or not isinstance(record.get("exported"), int):
        raise JaxgenError(f"{path / CONFIG} is not the one of an exported model; {_FIT}")
    if record["exported"] != FORMAT:
        raise JaxgenError(
            f"{path / CONFIG} has format {record['exported']}, and jaxgen {jaxgen.__version__} "
            f"reads {FORMAT}; use a newer jaxgen"
        )
    kinds = {"config": dict, "about": dict, "figures": dict, "step": int, "tolerance": float}
    if record.keys() != _KEYS or "type" not in record["config"]:
        raise JaxgenError(f"{path / CONFIG} lacks an entry, or has one too many; {_FIT}")
    for name, kind in kinds.items():
        if not isinstance(record[name], kind) or isinstance(record[name], bool):
            raise JaxgenError(f"{path / CONFIG}: the entry {name!r} is of the wrong kind; {_FIT}")
    return record


def _load(path: Path) -> dict[str, np.ndarray]:
    import safetensors.numpy

    size = path.stat().st_size
    refuse_too_much(size, f"the arrays of {path}", "use a machine with more")
    try:
        arrays = safetensors.numpy.load_file(path)
    except MemoryError:
        raise
    except Exception as error:  # foreign bytes make readers raise nearly anything
        raise JaxgenError(f"{path} cannot be read ({type(error).__name__}); {_FIT}") from error
    if len(arrays) > _MOST_ARRAYS:
        raise JaxgenError(f"{path} has {len(arrays)} arrays, more than {_MOST_ARRAYS}; {_FIT}")
    return arrays


def _refuse_other_kinds(arrays: Mapping[str, np.ndarray], where: str) -> None:
    if other := [name for name, array in arrays.items() if array.dtype != np.float32]:
        raise JaxgenError(
            f"{where} has the array {other[0]} of {arrays[other[0]].dtype}, and what is learnt is "
            "float32"
        )


def _refuse_other(model: TrainedModel, path: Path, record: dict[str, Any]) -> None:
    if not isinstance(model, CanExport):
        raise JaxgenError(f"{path} holds a kind of model that cannot be exported; {_FIT}")
    exported = model.exportable()
    check = _load(path / CHECK)
    inputs, outputs = (
        {
            name.removeprefix(prefix): array
            for name, array in check.items()
            if name.startswith(prefix)
        }
        for prefix in ("inputs.", "outputs.")
    )
    expected = {name: (array.shape, array.dtype) for name, array in exported.program.inputs.items()}
    if {name: (array.shape, array.dtype) for name, array in inputs.items()} != expected:
        raise JaxgenError(f"{path / CHECK} has other inputs than this model takes; {_FIT}")
    program = dataclasses.replace(exported.program, inputs=inputs)
    worst = difference(program.outputs(flat(exported.weights)), outputs)
    if not worst <= record["tolerance"]:
        raise JaxgenError(
            f"{path}: the model does not make what it made when it was exported (off by "
            f"{worst:.2g}, and {record['tolerance']:g} is allowed); another version of jaxgen or "
            f"JAX computes something else, or {_FIT}"
        )
