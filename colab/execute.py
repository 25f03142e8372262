"""Run a notebook from top to bottom in an empty folder, and keep what it shows.

    python colab/execute.py colab/gans.ipynb             # in full: up to 15 minutes on 2 CPU cores
    python colab/execute.py colab/gans.ipynb --reduced   # seconds; writes nothing, as the tests do

In full, the notebook is written back with its outputs. What differs from run to run for no reason
is left out: standard error (logs and progress bars), widgets, times, the version of Python.

The reduced form gets a cell after the one tagged "parameters" that assigns what the notebook's
metadata name: {"jaxgen": {"reduced": {NAME: VALUE}}}.
"""

import argparse
import ast
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
COLOURS = re.compile("\x1b\\[[0-9;]*m")
WIDGET = "application/vnd.jupyter.widget-view+json"


def reduce(notebook: NotebookNode) -> None:
    """Insert the cell with the reduced values.

    Raises:
        ValueError: no cell is tagged "parameters", or it does not assign one of the values.
    """
    tagged = [
        index
        for index, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", [])
    ]
    if len(tagged) != 1:
        raise ValueError(f"{len(tagged)} cells are tagged 'parameters', not one")
    values = notebook.metadata.get("jaxgen", {}).get("reduced", {})
    if not values:
        raise ValueError("the notebook's metadata have no values in jaxgen.reduced")
    if unknown := values.keys() - assigned(notebook.cells[tagged[0]].source):
        raise ValueError(f"the parameters cell does not assign {', '.join(sorted(unknown))}")
    source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    notebook.cells.insert(tagged[0] + 1, nbformat.v4.new_code_cell(source))


def assigned(source: str) -> set[str]:
    """The names that top-level assignments of a piece of Python give a value to."""
    targets = [t for s in ast.parse(source).body if isinstance(s, ast.Assign) for t in s.targets]
    return {node.id for t in targets for node in ast.walk(t) if isinstance(node, ast.Name)}


def execute(notebook: NotebookNode) -> None:
    """Run all cells with this interpreter, whatever kernels the user installed.

    Raises:
        CellExecutionError: a cell failed.
    """
    with tempfile.TemporaryDirectory(prefix="jaxgen-notebook-") as folder:
        (Path(folder) / "work").mkdir()
        client = NotebookClient(
            notebook,
            # With no folders to look in, what is left is ipykernel's own: sys.executable.
            km=AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[])),
            timeout=None,
            coalesce_streams=True,
            record_timing=False,
            store_widget_state=False,
        )
        # Another profile of IPython than the user's, whose start-up files could change outputs.
        client.execute(
            cleanup_kc=True,
            cwd=str(Path(folder) / "work"),
            env=os.environ | {"IPYTHONDIR": str(Path(folder) / "ipython")},
        )


def clean(notebook: NotebookNode) -> None:
    """Keep of the outputs and metadata what a reader needs."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [
                output
                for output in cell.outputs
                if output.get("name") != "stderr"
                and WIDGET not in output.get("data", {})
                and output.get("metadata", {}).get("jaxgen") != "progress"
            ]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):  # Pillow's pictures come twice
                    output.data.pop("image/jpeg", None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["kernelspec"] = KERNEL
    notebook.metadata["language_info"] = {"name": "python"}


def main() -> int:
    """Execute as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--reduced", action="store_true", help="run it small; write nothing")
    chosen = parser.parse_args()
    notebook = nbformat.read(chosen.notebook, as_version=4)
    try:
        if chosen.reduced:
            reduce(notebook)
        execute(notebook)
    except (CellExecutionError, ValueError) as error:
        print(f"{chosen.notebook}: {COLOURS.sub('', str(error))}", file=sys.stderr)
        return 1
    if not chosen.reduced:
        clean(notebook)
        nbformat.write(notebook, chosen.notebook)
    return 0


if __name__ == "__main__":
    sys.exit(main())
