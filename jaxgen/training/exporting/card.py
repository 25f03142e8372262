"""The model card of an exported model: what it is, how good, how to load it, what it is not for."""

import json
from collections.abc import Mapping
from typing import Any

from jaxgen.data.sealing import seal
from jaxgen.settings import shortened
from jaxgen.training.exporting.exportable import Exportable

UNKNOWN = "unknown"  # as the Hugging Face Hub calls a licence that nobody stated
_COLUMNS = ("value", "matched", "floor")


def text(
    exported: Exportable,
    record: Mapping[str, Any],
    sizes: Mapping[str, int],
    has: Mapping[str, bool],
) -> str:
    """The card, in Markdown with the head that the Hugging Face Hub reads.

    Args:
        exported: the model.
        record: what its `config.json` holds.
        sizes: numbers of its weights.
        has: which further forms are in the folder.
    """
    words, config = exported.words, record["config"]
    data = config["data"] if isinstance(config.get("data"), dict) else {}
    name = f"{config['type']} {exported.program.name}"
    licence = record["license"] or UNKNOWN
    origin = (
        _plain(record["source"])
        if record["source"]
        else f"Trained for {record['step']} steps of batch {config['batch_size']}, seed "
        f"{record['seed']}, and exported by jaxgen {record['jaxgen']}"
        + (f" (commit `{record['commit']}`)." if record["commit"] else ".")
    )
    parts = [
        f"---\nlibrary_name: jaxgen\nlicense: {licence}\npipeline_tag: {words.task}\n"
        "tags:\n- jax\n- flax\n- jaxgen\n---",
        f"# {name}",
        "## What it is",
        f"{words.what} {sizes['weights']:,} numbers, float32; computed in {config['precision']}.",
        origin,
        "## Data",
        f"Set `{_plain(data.get('type', 'unknown'))}` with these settings, from which the places of"
        f" files on the machine it was trained on were taken out:\n\n```json\n"
        f"{json.dumps(data, indent=2, sort_keys=True)}\n```\n\n"
        f"{record['about'].get('examples', 0):,} training examples. The licence of the data is "
        "that of the set; it is not changed by this folder.",
        "## Figures",
        figures(record["figures"]),
        "## How to load it",
        f'```python\nimport jaxgen\n\nmodel = jaxgen.load("FOLDER")\n{words.usage}\n```',
        "Loading holds every file against `SHA256SUMS` and the model against `check.safetensors`, "
        f"inputs with what it made of them: outputs may be off by {record['tolerance']:g}.",
    ]
    if has["stablehlo"]:
        parts.append(
            f"Without jaxgen, on CPU, CUDA or TPU: `python run_stablehlo.py` runs "
            f"`{exported.program.name}.stablehlo`, and needs JAX, flatbuffers and NumPy only. "
            "JAX promises to read such files for six months from when they were written."
        )
    if has["torch"]:
        parts.append(
            f"With PyTorch: `torch_{exported.program.name}.py` has the module and `load()`; "
            f"`python torch_{exported.program.name}.py` checks it."
        )
    if has["onnx"]:
        parts.append(f"As ONNX, for any number of rows: `{exported.program.name}.onnx`.")
    parts += [
        "## What it must not be used for",
        "\n".join(f"- {limit}" for limit in words.limits),
        "## Licence",
        f"`{licence}`, as stated by who exported it."
        if record["license"]
        else "None was stated by who exported it: ask before you pass it on.",
        "## Configuration",
        f"```json\n{json.dumps(dict(config), indent=2)}\n```\n\nIts SHA-256 is "
        f"`{seal(dict(config))}`.",
    ]
    return "\n\n".join(parts) + "\n"


def figures(measured: Mapping[str, Any]) -> str:
    """Figures as a table: each beside its floor, or beside its baseline.

    Args:
        measured: what `jaxgen evaluate` adds to a run's summary; {} for nothing.
    """
    rows = [(_plain(key), value) for key, value in measured.items()]
    with_floors = [(key, value) for key, value in rows if _has_columns(value)]
    numbers = [(key, value) for key, value in rows if _is_number(value)]
    parts = []
    if with_floors:
        parts.append("| figure | samples | matched | floor |\n|---|---|---|---|")
        parts[-1] += "".join(
            f"\n| {key} | " + " | ".join(_cell(value.get(name)) for name in _COLUMNS) + " |"
            for key, value in with_floors
        )
        parts.append(
            "The floor is what one half of the real data gets against the other, and matched what "
            "as many samples get: hold these two against each other. Samples is of all of them."
        )
    if numbers:
        nearest = measured.get("nearest")
        nearest = nearest if isinstance(nearest, Mapping) else {}
        head = "| figure | value | nearest neighbour |\n|---|---|---|"
        lines = "".join(
            f"\n| {key} | {_cell(value)} | {_cell(nearest.get(key))} |" for key, value in numbers
        )
        parts.append(head + lines)
        if nearest:
            parts.append(
                "The nearest neighbour is the floor: the first caption of the nearest training "
                "image, copied."
            )
    if not parts:
        return (
            "None was measured when it was exported. `jaxgen evaluate RUN` before `jaxgen export "
            "RUN` puts them here, each beside its floor."
        )
    return "\n\n".join(parts)


def _has_columns(value: Any) -> bool:
    return isinstance(value, Mapping) and "value" in value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if _is_number(value) else "-"


def _plain(value: Any) -> str:
    """Words that are no Markdown and no HTML, in one line."""
    kept = shortened(str(value), 200)
    return "".join(f"\\{mark}" if mark in "\\`*[]<>|#!" else mark for mark in kept)
