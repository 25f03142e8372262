"""The house shows itself: few entries, short files, arrows that run one way."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = [
    path for name in ("jaxgen", "experiments", "examples") for path in (ROOT / name).rglob("*.py")
]


def test_a_newcomer_sees_at_most_a_dozen_entries():
    entries = {path.name for path in (ROOT / "jaxgen").iterdir()} - {"__pycache__"}
    assert len(entries) <= 12, sorted(entries)


def test_no_file_is_long():
    lengths = {path.name: len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 350} == {}


def test_every_package_is_in_the_readmes_picture():
    picture = (ROOT / "README.md").read_text().split("## Layout")[1]
    for folder in (path for path in (ROOT / "jaxgen").iterdir() if path.is_dir()):
        assert folder.name == "__pycache__" or f"  {folder.name}/" in picture, folder.name


def test_the_lower_floors_import_nothing_from_above():
    """A walk to test the layers by: what a lower floor loads when it is imported alone."""
    floors = {
        "jaxgen.errors": set(),
        "jaxgen.settings": {"errors"},
        "jaxgen.data.captions.base": {"errors", "settings", "display"},
        "jaxgen.training.loop": {"errors", "settings", "display", "data", "nn"},
        "jaxgen.gan.step": {"errors", "settings", "display", "data", "nn", "training"},
    }
    for module, allowed in floors.items():
        code = (
            f"import sys, {module}\n"
            "print(*{n.split('.')[1] for n in sys.modules if n.startswith('jaxgen.')})"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        loaded = set(done.stdout.split()) - {module.split(".")[1]}
        assert loaded <= allowed, (module, loaded - allowed)
