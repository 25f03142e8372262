"""`python -m tests.installed`: the wheel in a fresh environment, used as a newcomer would.

It builds both distributions from the checkout, lets twine check them (both tools are the extra
`release`), installs the wheel alone in a new virtual environment of the Python that runs this, and
goes through the commands in an empty folder with an empty cache: train, stop, go on, measure,
compare, report, export, load elsewhere, caption. Each must end as it should, and a run that was
stopped with the parameters of one that was not. A few minutes on 2 CPU cores; POSIX only.
`--dist FOLDER` keeps the distributions: they are the ones to publish.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import jaxgen

ROOT = Path(__file__).parents[1]
LONGEST = 600  # seconds, of one command
LOAD = """
import sys, jaxgen
model = jaxgen.load(sys.argv[1])
print(jaxgen.__file__, float(model.sample(seed=0, n=4).sum()))
"""
ABSENT = """
import importlib.util, sys
sys.exit(any(importlib.util.find_spec(name) for name in ("benchmarks", "tests", "examples")))
"""
AS_IN_PYTHON = """
import dataclasses
import jaxgen
from experiments import vanilla_gan
if __name__ == "__main__":
    config = dataclasses.replace(vanilla_gan.config, steps=3, workdir="runs/python")
    model = jaxgen.run(config)
    steps, losses = model.history["d_loss"]
    assert list(steps) == [1, 2, 3] and losses.shape == (3,)
    assert model.sample(seed=0, n=2).shape == (2, 28, 28, 1)
"""


class Newcomer:
    """Runs an environment's commands in an empty folder, blind to the Python around it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        kept = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "JAXGEN_CACHE_DIR", "XDG_CACHE_HOME")
        self._env = {name: value for name, value in os.environ.items() if name not in kept}
        self._env |= {"PATH": f"{programs}{os.pathsep}{os.defpath}", "HOME": str(folder / "home")}
        self._programs, self.place = programs, folder / "empty"
        for made in (self.place, folder / "home"):
            made.mkdir()

    def run(self, line: str, *more: str, status: int = 0, place: Path | None = None) -> str:
        """Run a command line, say it, and give what it printed.

        Raises:
            SystemExit: it ended with another status.
        """
        words = [*shlex.split(line), *more]
        print(f"+ {line}", flush=True)
        began = time.monotonic()
        done = subprocess.run(
            [str(self._programs / words[0]), *words[1:]],
            cwd=place or self.place,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
        )
        print(f"  {time.monotonic() - began:.1f} s", flush=True)
        if done.returncode != status or "Traceback" in done.stdout:
            sys.exit(f"{done.stdout}\n{line}: exit status {done.returncode} instead of {status}")
        return done.stdout

    def stopped(self, line: str, number: signal.Signals) -> None:
        """Begin a training, and stop it by a signal once it has told of steps."""
        print(f"+ {line}  # and {number.name}", flush=True)
        words = shlex.split(line)
        with subprocess.Popen(
            [str(self._programs / words[0]), *words[1:]],
            cwd=self.place,
            env=self._env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for told in process.stderr:
                if told.startswith("step "):
                    break
            process.send_signal(number)
            try:
                _, said = process.communicate(timeout=LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        if process.returncode != 128 + number or "the same command goes on" not in said:
            sys.exit(f"{said}\n{line}: exit status {process.returncode}")


def use(newcomer: Newcomer) -> None:
    """Everything that a person does with a first run, in the order in which it comes up."""
    run, runs = newcomer.run, newcomer.place / "runs"
    told = run("jaxgen --version").strip()
    if told != jaxgen.__version__:
        sys.exit(f"the wheel is jaxgen {told}, the checkout {jaxgen.__version__}")
    run("python -c", ABSENT)
    run("python -m pip check")

    small = "jaxgen train vanilla_gan --log-every 2 --checkpoint-every 0"
    newcomer.stopped(f"{small} --steps 5000 --workdir runs/a", signal.SIGINT)
    newcomer.stopped(f"{small} --steps 5000 --workdir runs/a", signal.SIGTERM)
    steps = len((runs / "a/metrics.csv").read_text().splitlines()) + 1  # two more than are done
    if "interrupted" not in run("jaxgen runs runs"):
        sys.exit("jaxgen runs does not say that runs/a was interrupted")
    run(f"{small} --steps {steps} --workdir runs/a")
    run(f"{small} --steps {steps} --workdir runs/b")
    ends = [json.loads((runs / name / "summary.json").read_text()) for name in ("a", "b")]
    if ends[0]["parameters_sha256"] != ends[1]["parameters_sha256"]:
        sys.exit("the run that was stopped did not end where the unbroken one did")
    run(f"{small} --steps {steps} --seed 1 --workdir runs/c")
    run("jaxgen compare runs/a runs/b runs/c")
    run("jaxgen report runs/a runs/c --out report.html")
    run("jaxgen report runs", status=2)  # which is no run, but holds some

    run("jaxgen train dcgan --steps 4")
    run("jaxgen sample runs/dcgan --n 16 --out grid.png")
    run("jaxgen evaluate runs/dcgan")
    run("jaxgen report runs/dcgan --out one.html")
    run("jaxgen export runs/dcgan --out digits --license apache-2.0")
    elsewhere = newcomer.place.parent / "elsewhere"
    shutil.copytree(newcomer.place / "digits", elsewhere / "given")
    given = run("python -c", LOAD, "given", place=elsewhere)
    if given != run("python -c", LOAD, "runs/dcgan") or "site-packages" not in given:
        sys.exit(f"the exported model draws other samples than the run: {given}")
    with (elsewhere / "given" / "README.md").open("a") as file:
        file.write(" ")
    run("jaxgen sample given", status=2, place=elsewhere)

    run("python -m experiments.minimax --workdir runs/game")
    (newcomer.place / "mine.py").write_text(AS_IN_PYTHON)
    run("python mine.py")
    captioner = "jaxgen train caption_lstm --data.scenes 200 --steps 6 --workdir runs/words"
    run(captioner)
    run("jaxgen evaluate runs/words")
    run("jaxgen caption runs/words --n 4 --beam 2 --out captions.png")
    run("jaxgen export runs/words --out words --license apache-2.0")
    shutil.copytree(newcomer.place / "words", elsewhere / "words")
    run("jaxgen caption words --n 2", place=elsewhere)
    for name in ("grid.png", "report.html", "one.html", "captions.png", "runs/dcgan/report.html"):
        if not (newcomer.place / name).stat().st_size:
            sys.exit(f"{name} is empty")


def distributions(folder: Path) -> Path:
    """Build both distributions into a folder, and have them checked; the wheel's path."""
    build = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    made = sorted(folder.glob(f"jaxgen-{jaxgen.__version__}*"))
    if [path.name.rpartition(".")[2] for path in made] != ["whl", "gz"]:
        sys.exit(f"not two distributions of jaxgen {jaxgen.__version__}: {made}")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *made], check=True)
    return made[0]


def main() -> None:
    """Build, install and use."""
    parser = argparse.ArgumentParser(prog="python -m tests.installed", description=__doc__)
    parser.add_argument("--dist", type=Path, help="where the distributions are kept, a new folder")
    chosen = parser.parse_args()
    if chosen.dist and chosen.dist.exists() and any(chosen.dist.iterdir()):
        sys.exit(f"{chosen.dist} holds files already; name a new folder")
    with tempfile.TemporaryDirectory(prefix="jaxgen-installed-") as scratch:
        folder = Path(scratch)
        wheel = distributions((chosen.dist or folder / "dist").resolve())
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / "bin"
        # Isolated: what a build left in the checkout would count as installed already.
        install = [str(programs / "python"), "-I", "-m", "pip", "install", "--quiet", str(wheel)]
        subprocess.run(install, check=True, cwd=folder)
        use(Newcomer(programs, folder))
    print(f"{wheel.name}: installed and used on Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
