"""Blocks of code in the README and the pages: run as they stand, or marked with why not.

An HTML comment above a block says what is done with it:

    <!-- not run: WHY -->      its commands are only parsed, its Python is compiled
    <!-- run with: NAME -->    `jaxgen train` gets the flags of `SMALLER[NAME]`, to be quick
    <!-- file: NAME -->        it is run, and lies as a file beside the blocks that follow; with
                               NAME, 200 as 8 the number 200 in it is 8, to be quick

Blocks of a page are run one after the other, in a folder that `place` fills with small runs; the
Python of a page has one namespace. Blocks of language text are what commands print.
"""

import csv
import importlib.util
import re
import shlex
import shutil
import sys
from configparser import ConfigParser

import numpy as np
import pytest
from PIL import Image

from jaxgen.__main__ import COMMANDS
from jaxgen.commands import cli
from tests.docs.pages import LANGUAGES, PAGES, ROOT, SHELL, blocks, name, prose

SMALL_DCGAN = (
    "--steps 2 --batch-size 8 --log-every 2 --sample-every 0 --noise-size 4 --networks.hidden 8 "
    "--networks.generator-channels 4 4 --networks.discriminator-channels 2 2"
)
SMALLER = {"SMALL_DCGAN": SMALL_DCGAN.split()}
FOREIGN = {"ntasks_per_node", "requeue"}
"""Flags of other programs that are talked about."""
RUNS = ROOT / "tests" / "runs_0_1"
"""Runs that are kept for other tests: nothing has to be trained."""
PLACES = {
    **dict.fromkeys(("runs/a", "runs/a2", "runs/first"), "gan"),
    **dict.fromkeys(("runs/b", "RUN"), "captioner"),
}


class Parsed(SystemExit):
    """A command line was understood."""

    def __init__(self):
        super().__init__(0)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with small runs, pictures and captions, which commands begin in."""
    place = tmp_path / "place"
    for folder, run in PLACES.items():
        shutil.copytree(RUNS / run, place / folder)
    (place / "PICTURES").mkdir()
    with (place / "captions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "caption"))
        for number, pixels in enumerate(np.random.default_rng(0).integers(256, size=(20, 16, 16))):
            Image.fromarray(pixels.astype(np.uint8)).save(place / "PICTURES" / f"{number}.png")
            rows.writerow((f"{number}.png", "a picture of grey noise"))
    monkeypatch.chdir(place)
    monkeypatch.setenv("PATH", str(place))  # without Java, whose metrics take a minute
    monkeypatch.syspath_prepend(place)  # where files that are imported lie
    return place


@pytest.fixture
def command(monkeypatch, run_module):
    """Run the words of a command in this process; returns its exit code and what it printed."""

    def run(words):
        with monkeypatch.context() as patch:
            if words[1] == "train":  # or runpy warns that it runs it again
                patch.delitem(sys.modules, f"experiments.{words[2]}", raising=False)
            return run_module(*words)

    return run


def kinds(page):
    return [block for block in blocks(page) if block.language != "text"]


def written(block, place):
    """The Python of a block, which is written to the file that its mark names."""
    told = re.fullmatch(r"file: ([\w.]+)(?:, (\d+) as (\d+))?", block.mark)
    if not told:
        return block.text
    file, number, smaller = told.groups()
    text = re.sub(rf"\b{number}\b", smaller, block.text) if number else block.text
    (place / file).write_text(text)
    return text


@pytest.mark.parametrize("page", [page for page in PAGES if kinds(page)], ids=name)
def test_blocks_run_as_they_stand(page, place, command):
    namespace = {"__name__": "page"}
    for block in kinds(page):
        if block.why_not:
            continue
        if block.language == "python":
            exec(compile(written(block, place), block.place, "exec"), namespace)
        if block.language not in SHELL:
            continue
        for words in block.commands():
            assert words[0] == "jaxgen", f"{block.place}: mark it with why it is not run"
            if words[1] == "train":
                key = block.mark.removeprefix("run with: ")
                assert key in SMALLER, f"{block.place}: say what to run it with, or why not"
                words += SMALLER[key]
            status, told = command(words)
            assert status == 0, f"{block.place}: {shlex.join(words)}\n{told}"


@pytest.fixture
def parsed(monkeypatch, command):
    """Hold the words of a command against its parser, and do nothing; returns what it says."""

    def then_stop(function):
        def parse(*arguments, **options):
            function(*arguments, **options)
            raise Parsed

        return parse

    def train(default, description, argv, *others):
        cli.chosen(default, argv, "jaxgen train")
        return 0

    monkeypatch.setattr(cli, "_train", train)
    monkeypatch.setattr(cli, "_member", lambda job, train: train())
    monkeypatch.setattr(cli, "parse_command", then_stop(cli.parse_command))

    def run(words):
        # `jaxgen import` goes on to parse the flags of its experiment, and stops there.
        with monkeypatch.context() as patch:
            if words[1] == "import":
                patch.setattr(cli, "chosen", then_stop(cli.chosen))
            return command(words)

    return run


@pytest.mark.parametrize("page", [page for page in PAGES if kinds(page)], ids=name)
def test_what_is_not_run_is_understood(page, place, parsed):
    for block in kinds(page):
        if block.language == "python":
            compile(written(block, place), block.place, "exec")
        elif block.why_not:
            for words in block.commands():
                check([word for word in words if word != "..."], parsed, block.place)


def check(words, parsed, where):
    """Hold a command line against what there is."""
    if "&&" in words:
        middle = words.index("&&")
        check(words[:middle], parsed, where)
        return check(words[middle + 1 :], parsed, where)
    if words[0].endswith(".sh"):
        assert (ROOT / words[0]).is_file(), where
        return check(words[1:], parsed, where)
    if words[:2] == ["pip", "install"]:
        return check_extras(words[2:], where)
    if words[:2] == ["python", "-m"]:
        return check_module(words[2], words[3:], parsed, where)
    if words[0] == "jaxgen":
        if words[1:2] == ["train"] and words[2] == "my_file.py":
            return None  # stands for any file
        assert words[1] in COMMANDS, f"{where}: there is no command {words[1]}"
        status, told = parsed(words)
        assert status == 0, f"{where}: {shlex.join(words)}\n{told}"
    return None


def check_extras(words, where):
    """Extras that a line installs exist."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for extras in re.findall(r"(?:\.|jaxgen)\[([\w,]+)\]", " ".join(words)):
        for extra in extras.split(","):
            assert extra in setup["options.extras_require"], f"{where}: no extra {extra}"


def check_module(module, flags, parsed, where):
    """A module of ours that a line runs exists, and so do its flags."""
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"{where}: there is no {module}"
    if module.startswith("experiments."):
        return check(["jaxgen", "train", module.partition(".")[2], *flags], parsed, where)
    if module.split(".")[0] in ("benchmarks", "tests"):  # whose imports are not installed here
        folder = ROOT / module.replace(".", "/")
        sources = [folder.with_suffix(".py")] if folder.with_suffix(".py").exists() else [
            *folder.glob("*.py")
        ]  # fmt: skip
        text = "".join(source.read_text() for source in sources)
        for word in flags:
            known = not word.startswith("--") or f'"{word}"' in text
            assert known, f"{where}: {module} has no {word}"
    return None


def test_every_block_says_what_it_is():
    for page in PAGES:
        for block in blocks(page):
            assert block.language in LANGUAGES, f"{block.place}: {block.language}"
            known = not block.mark or block.mark.startswith(("not run: ", "file: ", "run with: "))
            assert known, f"{block.place}: {block.mark}"


def test_flags_in_sentences_exist():
    """The name of each is somewhere in the code: a field, or a word of a command line."""
    folders = ("jaxgen", "experiments", "benchmarks", "tests/faults")
    code = "".join(path.read_text() for name in folders for path in (ROOT / name).rglob("*.py"))
    words = set(re.findall(r"[a-z][a-z0-9_]*", code.replace("-", "_")))
    lost = {
        f"{name(page)}: --{flag}"
        for page in PAGES
        for flag in re.findall(r"`--(?:no-)?([a-z0-9][\w.-]*)", prose(page))
        if not {part.replace("-", "_") for part in flag.split(".")} <= words | FOREIGN
    }
    assert lost == set()


@pytest.mark.parametrize(
    "line",
    [
        "jaxgen train dcgan --stepss 3",
        "jaxgen train dcgan --steps many",
        "jaxgen train dcgan --batch-size 0",
        "jaxgen train no_such",
        "jaxgen sample runs/a --nn 3",
        "jaxgen draw runs/a",
        "python -m experiments.dcgan --preset none",
        "python -m benchmarks --no-such-flag",
        "python -m benchmarks.no_such",
        "pip install -e '.[no_such]'",
        "jaxgen import --torch a.pth --as dcgan --out b --no-such 3",
        "jaxgen train dcgan --coordinator nowhere --processes 2",
    ],
)
def test_what_is_wrong_is_noticed(line, parsed, place):
    with pytest.raises(AssertionError, match="here"):
        check(shlex.split(line), parsed, "here")
