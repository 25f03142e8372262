"""Command lines from the flags that the commands declare, with values of every odd kind.

A flag has a name, a kind of value and a range. A line is one that works, made small, with a few
flags after it that may not: extremes, other kinds of values, none, misspelt names.
"""

import dataclasses
import functools
import importlib
import itertools
import pkgutil
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies as st

import experiments
from experiments.minimax import MinimaxConfig
from jaxgen import settings
from jaxgen.commands.caption import CaptionImagesConfig
from jaxgen.commands.compare import CompareConfig
from jaxgen.commands.directions import DirectionsConfig
from jaxgen.commands.evaluate import EvaluateConfig
from jaxgen.commands.nearest import NearestConfig
from jaxgen.commands.project import ProjectConfig
from jaxgen.commands.report import ReportConfig
from jaxgen.commands.runs import RunsConfig
from jaxgen.commands.sample import SampleConfig
from jaxgen.data.captions.build import BuildConfig
from jaxgen.metrics.captions.score import ScoreConfig
from jaxgen.settings import Choice
from jaxgen.training.task import TrainConfig

SMALL = 64
"""Numbers up to it are quick whatever they count."""
_LARGEST_COUNT = 2**20  # a legal one of these may take more memory than a trial has
_SLOW = ("--steps",)  # legal numbers of these only make a command long
_AS_THEY_ARE = (
    "steps",
    "batch-size",
    "-every",
    "-mb",
    "train",
)  # small ones would not work, or mean nothing
_LEFT_OUT = ("--data.download",)  # asks the network
_REFUSED_IN_BYTES = ("--captioner.hidden", "--captioner.width", "--networks.generator-hidden")

Words = list[str]


class Flag(typing.NamedTuple):
    """A flag that a command declares."""

    name: str
    kind: Any
    """int, float, str, bool or Path; a tuple of names to choose from."""
    count: int = 1
    """Values that it takes; 0 for any number of them."""
    least: float | None = None
    most: float | None = None


@functools.cache
def configs() -> dict[str, TrainConfig]:
    """The configuration of each experiment that trains."""
    found = {}
    for module in pkgutil.iter_modules(experiments.__path__):
        config = getattr(importlib.import_module(f"experiments.{module.name}"), "config", None)
        if isinstance(config, TrainConfig):
            found[module.name] = config
    return found


def flags(config: Any, prefix: str = "--") -> Iterator[Flag]:
    """The flags of a configuration, or of the class of one, and of all that it holds."""
    hints = typing.get_type_hints(config if isinstance(config, type) else type(config))
    for field in dataclasses.fields(config):
        name, hint = prefix + field.name.replace("_", "-"), hints[field.name]
        value = getattr(config, field.name, None)
        if name == "--data-dir":
            yield Flag("--data.dir", Path)
        elif name == "--own":
            yield Flag("--import", Path)
        elif name in ("--run", "--runs", "--folder") or name in _LEFT_OUT:
            continue
        elif isinstance(hint, type) and issubclass(hint, Choice):
            yield Flag(name, tuple(hint.choices()))
        elif isinstance(hint, type) and dataclasses.is_dataclass(hint):
            if type(value) is not hint:
                yield Flag(name, tuple(settings.subclasses(hint)))
            yield from flags(hint if value is None else value, f"{name}.")
        else:
            yield _flag(name, hint, settings.rules(field))


def _flag(name: str, hint: Any, rules: Any) -> Flag:
    limits = rules.least if rules.least is not None else rules.above, rules.most or rules.below
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return Flag(name, tuple(map(str, arguments)))
    if origin is tuple:
        return Flag(name, arguments[0], 0 if arguments[-1] is Ellipsis else len(arguments), *limits)
    if origin in (typing.Union, types.UnionType):
        hint = arguments[0]
    if hint is str and name.endswith(("dir", "features")):
        hint = Path
    return Flag(name, hint, 1, *limits)


def small(config: Any, prefix: str = "--") -> Words:
    """Flags that make the networks of a configuration, and what they count, small."""
    words: Words = []
    for field in dataclasses.fields(config):
        name, value = prefix + field.name.replace("_", "-"), getattr(config, field.name)
        if type(value) is tuple and max(value, default=0) > SMALL // 8:
            words += [name, *["8"] * len(value)]
        elif type(value) is int and value > SMALL and not name.endswith(_AS_THEY_ARE):
            words += [name, "8" if field.name != "scenes" else "20"]
        elif dataclasses.is_dataclass(value) and field.name in ("networks", "captioner", "data"):
            words += small(value, f"{name}.")
    return words


PATHS = (
    "", ".", "..", "-", "~", "/dev/null", "/dev/full", "/proc/self/x.png", "file.txt", "empty",
    "pipe", "pipe.png", "pipe.py", "folder.png", "link", "missing/x.png", "out.png", "out.npz",
    "out.PNG", "out.jpg", "out.webp", "out.gif", "empty/out.bmp", "\u00e9\u0301.png", "\udcff.png",
    "\udcff", "pictures", "captions.csv", "features.npy", "gan", "conditional", "captioner",
    "own.py", "broken.py", "exits.py", "os.path", "no.such.module", "a" * 300 + ".png", "b" * 5000,
    "new folder/of/it", "\u202e\n.png", "old.png",
)  # fmt: skip
_NO_NUMBERS = (
    "", " ", "nan", "inf", "-inf", "-nan", "None", "True", "1e3", "1.0", "0x10", "1_0", "+3", "-0",
    " 3 ", "007", "0" * 60 + "3", "9" * 400, "\u0663", "\u2167", "\u00bd", "1,2", "[1]", "--", "-",
    "3 4", "\u22121", "1e400", "1e-400", "5e-324", "3.5e38", "1e-46", "0.99999999999",
)  # fmt: skip
_EXTREMES = (0, -1, 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30)
_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20),
    *[st.sampled_from(PATHS)] * 3,
)


def _is_bearable(flag: Flag, number: int) -> bool:
    """Whether a trial ends with this number, in its memory and time."""
    if number <= SMALL or flag.name in _REFUSED_IN_BYTES:
        return True
    if flag.name in _SLOW:
        return number > (flag.most or 0)
    return number > max(flag.most or 0, _LARGEST_COUNT)


def _sound(flag: Flag) -> st.SearchStrategy[str]:
    """One value of a flag that it ought to take."""
    if isinstance(flag.kind, tuple):
        return st.sampled_from(flag.kind or ("none",))
    if flag.kind in (str, Path):
        return st.sampled_from(PATHS)
    least = flag.least or 0
    if flag.kind is float:
        return st.floats(least, flag.most or 1, exclude_min=True, exclude_max=True).map(repr)
    return st.integers(int(least), int(least) + 4).map(str)


def _unsound(flag: Flag) -> st.SearchStrategy[str]:
    """One value of a flag that it may refuse."""
    if flag.kind is bool:
        return st.sampled_from(("", "True", "no"))
    if isinstance(flag.kind, tuple):
        names = st.sampled_from(flag.kind or ("none",))
        return st.one_of(names.map(str.upper), names.map(lambda name: name[:-1]), _TEXT)
    if flag.kind in (str, Path):
        return _TEXT
    limits = [int(limit) for limit in (flag.least, flag.most) if limit is not None]
    around = [limit + more for limit in limits for more in (-1, 0, 1)]
    odd = st.sampled_from(_NO_NUMBERS)
    if flag.kind is float:
        extreme = st.sampled_from([*map(float, around), 3.5e38, 1e-46, 5e-324, 1 - 1e-12]).map(repr)
        return st.one_of(extreme, extreme, st.floats().map(repr), odd)
    extreme = st.sampled_from([*around, *_EXTREMES])
    numbers = st.one_of(extreme, extreme, st.integers())
    numbers = numbers.filter(functools.partial(_is_bearable, flag)).map(str)
    return st.one_of(numbers, numbers, numbers, odd)


@st.composite
def _given(draw: Any, pool: tuple[Flag, ...]) -> Words:
    """A flag of a pool with a value, or none, or several; sometimes misspelt."""
    flag = draw(st.sampled_from(pool))
    counts = {0: (0, 1, 1, 2, 3), 1: (1,) * 12 + (0, 2)}.get(flag.count, (flag.count,) * 3 + (0, 1))
    if draw(_one_in(2)) and flag.kind is not bool:
        return [flag.name, *[draw(_sound(flag)) for _ in range(flag.count or 2)]]
    values = [draw(_unsound(flag)) for _ in range(draw(st.sampled_from(counts)))]
    name = flag.name
    if flag.kind is bool:
        values = values if draw(_one_in(5)) else []
        name = draw(st.sampled_from((name, name, f"--no-{name[2:]}")))
    spelling = draw(st.sampled_from(range(30)))
    if spelling == 0:
        name = draw(st.sampled_from((name[:-1], name[1:], name.upper(), f"{name}x", f"-{name}")))
    elif spelling == 1:
        name = name.replace("-", "_").replace("__", "--", 1)
    elif spelling == 2 and values:
        return [f"{name}={values[0]}", *values[1:]]
    return [name, *values]


@st.composite
def _flags_after(draw: Any, words: Words, pool: tuple[Flag, ...]) -> Words:
    some = [draw(_given(pool)) for _ in range(draw(st.sampled_from((0, 1, 1, 2, 2, 3, 5))))]
    stray = [draw(st.sampled_from(PATHS))] if draw(_one_in(20)) else []
    return [*words, *itertools.chain(*some), *stray]


def _one_in(number: int) -> st.SearchStrategy[bool]:
    return st.sampled_from((*[False] * (number - 1), True))


@functools.cache
def _pool(config: Any) -> tuple[Flag, ...]:
    return tuple(dict.fromkeys(flags(config)))


@st.composite
def _train(draw: Any) -> Words:
    name = draw(st.sampled_from(sorted(configs())))
    config = configs()[name]
    words = ["train", name, "--workdir", "run", "--steps", "2", "--batch-size", "8"]
    for field in ("networks", "captioner", "data"):
        if hasattr(config, field) and draw(_one_in(5)):
            kinds = settings.subclasses(typing.get_type_hints(type(config))[field])
            kind = draw(st.sampled_from(sorted(kinds)))
            config = dataclasses.replace(config, **{field: kinds[kind]()})
            words += [f"--{field}", kind]
            if field == "data" and draw(st.booleans()):
                words += ["--data.dir", draw(st.sampled_from(("pictures", "empty", "set", "pipe")))]
    words += small(config)
    pool = (*_pool(config), Flag("--import", Path), Flag("--preset", ("best", "overfit", "vector")))
    return draw(_flags_after(words, (*pool, Flag("--reschedule", bool))))


@st.composite
def _of_run(draw: Any, command: str, config: Any, sound: tuple[str, ...]) -> Words:
    run = draw(_TEXT if draw(_one_in(8)) else st.sampled_from(sound))
    return draw(_flags_after([command, run], _pool(config)))


@st.composite
def _project(draw: Any) -> Words:
    run = draw(st.sampled_from(("gan", "conditional", "captioner")))
    words = ["project", run, draw(st.sampled_from(PATHS)), "old.png", "--steps", "2"]
    return draw(_flags_after([*words, "--restarts", "2"], _pool(ProjectConfig)))


def _build() -> st.SearchStrategy[Words]:
    words = ["captions", "build", "--images", "pictures", "--captions", "captions.csv"]
    words += ["--out", "new", "--threshold", "1"]
    return _flags_after(words, _pool(BuildConfig))


def _score() -> st.SearchStrategy[Words]:
    words = ["score", "captions.csv", "captions.csv", "--missing", "skip", "--resamples", "20"]
    # Without Java last: its programs take minutes where there is one.
    return _flags_after(words, _pool(ScoreConfig)).map(lambda line: [*line, "--no-java"])


@st.composite
def lines(draw: Any) -> Words:
    """What comes after `jaxgen`."""
    kinds = {
        "train": (10, _train()),
        "sample": (4, _of_run("sample", SampleConfig, ("gan", "conditional", "captioner"))),
        "project": (2, _project()),
        "directions": (1, _of_run("directions", DirectionsConfig, ("gan", "conditional"))),
        "nearest": (1, _of_run("nearest", NearestConfig, ("gan", "conditional"))),
        "caption": (4, _of_run("caption", CaptionImagesConfig, ("captioner", "captioner", "gan"))),
        "build": (4, _build()),
        "score": (2, _score()),
        "evaluate": (1, _of_run("evaluate", EvaluateConfig, ("gan", "conditional", "captioner"))),
        "report": (2, _of_run("report", ReportConfig, ("gan", "conditional", "captioner"))),
        "compare": (1, _of_run("compare", CompareConfig, ("gan", "captioner"))),
        "runs": (1, _of_run("runs", RunsConfig, (".", "gan", "pictures"))),
        "minimax": (
            1,
            _flags_after(["train", "minimax", "--workdir", "run"], _pool(MinimaxConfig)),
        ),
        "words": (1, st.lists(st.sampled_from(("train", "sample", "bulid", "-h", "", "dcgan")))),
    }
    weighted = [name for name, (weight, _) in kinds.items() for _ in range(weight)]
    return draw(kinds[draw(st.sampled_from(weighted))][1])


def line(seed: int) -> Words:
    """The line of a seed."""
    for config in configs().values():  # imports all modules that declare flags
        _pool(config)
    found: list[Words] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=3,  # the first is the simplest that there is, whatever the seed
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=[
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.filter_too_much,
            hypothesis.HealthCheck.data_too_large,
            hypothesis.HealthCheck.large_base_example,
        ],
    )
    @hypothesis.given(lines())
    def collect(words: Words) -> None:
        found.append(words)

    collect()
    return found[-1]
