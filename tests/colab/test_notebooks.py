"""Every notebook in `colab/`: runs in its reduced form, and is committed with its outputs."""

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "colab"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 1_000_000  # bytes, pictures included
SOMEONES_PATH = re.compile(r"(/(home|root|tmp|Users)/|[A-Z]:\\)\S*")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def execute(path, *flags):
    """Run the script on a notebook; in a process of its own, for the kernel's sake."""
    return subprocess.run(
        [sys.executable, str(FOLDER / "execute.py"), str(path), *flags],
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def notebook_of(parameters, reduced, *sources):
    """A notebook whose second cell holds the parameters."""
    cells = [nbformat.v4.new_code_cell(source) for source in ("pass", parameters, *sources)]
    cells[1].metadata["tags"] = ["parameters"]
    return nbformat.v4.new_notebook(cells=cells, metadata={"jaxgen": {"reduced": reduced}})


@pytest.mark.long
@each_notebook
def test_reduced_form_runs(path):
    before = path.read_bytes()
    done = execute(path, "--reduced")
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == before


@each_notebook
def test_is_valid_and_begins_with_install_and_parameters(path):
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    nbformat.validate(notebook)
    assert [cell.metadata.get("tags") for cell in code_cells(path)[:2]] == [
        ["install"],
        ["parameters"],
    ]


def test_all_begin_with_the_same_cell():
    assert len({code_cells(path)[0].source for path in NOTEBOOKS}) == 1


@pytest.mark.parametrize(
    ("files", "plugin", "extra"),
    [
        ({}, False, ""),
        ({"proc/driver/nvidia/version": "NVIDIA UNIX Kernel Module  535.104.05 "}, False, "cuda12"),
        ({"proc/driver/nvidia/version": "Kernel Module for x86_64  580.65.06 "}, False, "cuda13"),
        ({"proc/driver/nvidia/version": "Kernel Module for x86_64  580.65.06 "}, True, "cuda12"),
        ({"dev/accel0": ""}, False, "tpu"),
        ({"dev/vfio/0": "", "dev/vfio/vfio": ""}, False, "tpu"),
        ({"dev/vfio/vfio": ""}, False, ""),
    ],
)
def test_the_first_cell_brings_what_the_machine_needs(tmp_path, monkeypatch, files, plugin, extra):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    source = code_cells(NOTEBOOKS[0])[0].source.replace('Path("/', f'Path("{tmp_path}/')
    source = source.replace('REPOSITORY = ""', 'REPOSITORY = "https://example.org/jaxgen"')
    source = re.sub("%pip install -q (.*)", r"installed.append(f\1)", source)
    specs = {"jax_cuda12_plugin": "found"} if plugin else {}
    monkeypatch.setattr(importlib.util, "find_spec", specs.get)
    installed = []
    exec(source, {"installed": installed})
    wanted = f"jaxgen[{extra}]" if extra else "jaxgen"
    assert installed == [f"{wanted} @ git+https://example.org/jaxgen"]


@each_notebook
def test_is_committed_as_it_ran_from_top_to_bottom(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert path.stat().st_size < LARGEST


@each_notebook
def test_outputs_tell_nobodys_paths(path):
    for output in (output for cell in code_cells(path) for output in cell.outputs):
        texts = [output.get("text", "")]
        texts += [str(v) for kind, v in output.get("data", {}).items() if "image/" not in kind]
        assert not any(map(SOMEONES_PATH.search, texts)), texts


def test_full_run_keeps_what_a_reader_needs(tmp_path):
    path = tmp_path / "notebook.ipynb"
    source = (
        "import sys; from pathlib import Path\n"
        "print(N, list(Path().iterdir()))\n"
        "print('noise', file=sys.stderr)\n"
        "from jaxgen.display import live, progress\n"
        "with progress.bar(total=2, desc='counting', unit='sheep') as counted:\n"
        "    counted.update(2)\n"
        "print(type(live.display()).__name__)\n"
        "print(sys.executable)"
    )
    nbformat.write(notebook_of("N = 5", {"N": 3}, source), path)
    done = execute(path)
    assert done.returncode == 0, done.stderr
    last = code_cells(path)[-1]
    assert (last.execution_count, len(last.outputs)) == (3, 1)
    assert last.outputs[0].text == f"5 []\nNotebook\n{sys.executable}\n"
    assert set(last.metadata) == set()
    assert json.loads(path.read_text())["metadata"]["language_info"] == {"name": "python"}


def test_a_failing_cell_is_told_and_nothing_is_written(tmp_path):
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook_of("N = 5", {"N": 3}, "assert N == 5, 'reduced'"), path)
    before = path.read_bytes()
    done = execute(path, "--reduced")
    assert done.returncode == 1
    assert "AssertionError: reduced" in done.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("parameters", "reduced", "sentence"),
    [
        ("N, M = 5, 6", {"N": 1, "M": 1, "STEPS": 2}, "does not assign STEPS$"),
        ("if True:\n    N = 5", {"N": 1}, "does not assign N"),
        ("N = 5", {}, "no values"),
    ],
)
def test_reduced_values_must_be_parameters(parameters, reduced, sentence):
    reduce = runpy.run_path(str(FOLDER / "execute.py"))["reduce"]
    with pytest.raises(ValueError, match=sentence):
        reduce(notebook_of(parameters, reduced))
