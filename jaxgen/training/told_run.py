"""What a run's folder tells, read for reports, comparisons and lists; nothing in it is changed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgen.data.sealing import is_broken
from jaxgen.display.report.told import FigureWords, Series, State, Told, ToldCaption
from jaxgen.errors import JaxgenError
from jaxgen.training import configs, run_lock, seeds, shown_captions, what_was_run
from jaxgen.training.configs import Record
from jaxgen.training.events import Event, read_events
from jaxgen.training.metrics_file import History, newest_metrics, read_metrics
from jaxgen.training.run_folder import Run, read_json
from jaxgen.training.task import TrainConfig

_COLUMNS = {"matched": "same size", "floor": "floor"}
_LARGEST = 1e100
_MOST_FRAMES = 40  # of captions that are read


class Read(NamedTuple):
    """What a run's files hold, before anything is made of it."""

    run: Run
    record: Record
    config: TrainConfig | None
    """None where code of a user's own is missing."""
    summary: Mapping[str, Any]
    events: list[Event]
    notes: list[str]


def read(path: str | Path) -> Read:
    """Read a run's files, all but its metrics and what it showed.

    Raises:
        JaxgenError: it is not a run, or its configuration cannot be read.
    """
    run, notes = Run(path), list[str]()
    run.refuse_none()
    record = run.record()
    config = None
    try:
        placed = record.config | {"workdir": str(run.path)}
        config = configs.from_json(placed, TrainConfig, f"{run.config_path}: config")
    except JaxgenError as error:
        notes.append(f"figures have no words, as the configuration is not understood: {error}")
    summary = _summary(run, notes)
    found, problem = read_events(run.events_path)
    if problem:
        notes.append(problem)
    return Read(run, record, config, summary, found, notes)


def _summary(run: Run, notes: list[str]) -> Mapping[str, Any]:
    if not run.summary_path.exists():
        return {}
    try:
        summary = read_json(run.summary_path)
    except JaxgenError as error:
        notes.append(str(error))
        return {}
    if not isinstance(summary, dict) or is_broken(summary):
        notes.append(f"{run.summary_path} is not as it was written, and is left out")
        return {}
    return summary


def state(found: Read) -> State:
    """How the run stands."""
    if run_lock.is_held(found.run.path):
        return "running"
    summary = found.summary
    if summary.get("finished") is True and summary.get("step") == found.record.config.get("steps"):
        return "finished"
    last = [event for event in found.events if event["kind"] in ("began", "diverged")][-1:]
    return "diverged" if last and last[0]["kind"] == "diverged" else "interrupted"


class Short(NamedTuple):
    """How a run stands, in a line."""

    state: State
    step: int
    steps: int
    figure: str = ""
    """The title of its main figure."""
    value: float | None = None
    written: str = ""
    """The value as tables have it."""
    better: str = ""
    end: str = ""
    """Why it diverged."""


def in_short(found: Read) -> Short:
    """How a run stands; of its metrics only the end is read."""
    own, standing = _whole_numbers(found.record.config), state(found)
    last, newest = newest_metrics(found.run.metrics_path)
    done = found.summary.get("step")
    of_all = {name: _number(value) for name, value in newest.items() if "/" not in name}
    figures = {name: value for name, value in of_all.items() if value is not None}
    told_last = found.summary.get("metrics")
    if isinstance(told_last, dict) and standing == "finished":
        known = {str(name): _number(value) for name, value in told_last.items()}
        figures |= {name: value for name, value in known.items() if value is not None}
    evaluation = found.summary.get("evaluation")
    if isinstance(evaluation, dict):
        measured, _ = _evaluated(evaluation, max(1, own("replicas", 1)))
        for name, values in measured.items():
            known_values = [value for value in values if value is not None]
            if known_values:
                figures[name] = sum(known_values) / len(known_values)
    words = found.config.figures() if found.config else {}
    name = next((one for one in words if one in figures), next(iter(figures), ""))
    spoken = words.get(name, FigureWords(name, ""))
    ended = [str(event.get("said")) for event in _of(found.events, "diverged")[-1:]]
    return Short(
        standing,
        max(last, done if isinstance(done, int) else 0),
        own("steps", 0),
        spoken.title,
        figures.get(name),
        spoken.written(figures.get(name)),
        spoken.better,
        ended[0] if ended and standing == "diverged" else "",
    )


def told(
    found: Read,
    *,
    standing: State | None = None,
    history: History | None = None,
    captions: bool = True,
    name: str = "",
) -> Told:
    """All that the run tells.

    Args:
        found: its files.
        standing: how it stands, where that is known.
        history: its metrics, where they have been read.
        captions: whether to read the captions that it showed.
        name: to call it by; by default its folder's.
    """
    run, record, config, notes = found.run, found.record, found.config, list(found.notes)
    history = read_metrics(run.metrics_path) if history is None else history
    own = _whole_numbers(record.config)
    first, count, steps = own("seed", 0), own("replicas", 1), own("steps", 0)
    of = tuple(range(first, first + max(1, min(count, 256))))
    evaluation = found.summary.get("evaluation")
    evaluation = evaluation if isinstance(evaluation, dict) else {}
    figures, beside = _evaluated(evaluation, len(of))
    curves = _curves(history, of)
    taken = {}
    for metric, series in curves.items():
        if metric not in figures:
            taken[metric] = max(int(steps[-1]) for steps, _ in series)
            figures[metric] = [_number(_newest(own_of, config)) for own_of in series]
    words = config.figures() if config else {}
    order = [*words, *figures]
    last = max((int(steps[-1]) for steps, _ in history.values()), default=0)
    done = found.summary.get("step")
    alarms = [(event["step"], str(event.get("said"))) for event in _of(found.events, "alarm")]
    diverged = [str(event.get("said")) for event in _of(found.events, "diverged")[-1:]]
    standing = standing or state(found)
    notes += [str(note) for note in evaluation.get("notes", []) if isinstance(note, str)]
    return Told(
        name=name or run.path.resolve().name or str(run.path),
        state=standing,
        step=max(last, done if isinstance(done, int) else 0),
        steps=steps,
        seeds=of,
        config=flat(record.config),
        default=flat(record.default),
        free=frozenset(configs.may_change(config)) if config else frozenset(),
        figures={name: figures[name] for name in dict.fromkeys(order) if name in figures},
        taken=taken,
        beside=beside,
        words=words,
        curves=curves,
        alarms=alarms if found.events else None,
        end=diverged[0] if diverged and standing == "diverged" else "",
        facts=what_was_run.facts(record, found.summary, found.events),
        frames=run.sample_files(".png"),
        captions=_captions(run, notes) if captions else [],
        notes=notes,
        evaluated=bool(evaluation),
        version=record.jaxgen,
        commit=record.commit,
        time=str(found.summary.get("time", "")),
    )


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """JSON values by dotted names."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            found |= flat(inner, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = inner
    return found


def _whole_numbers(config: Mapping[str, Any]) -> Any:
    def read(name: str, otherwise: int) -> int:
        value = config.get(name, otherwise)
        return value if isinstance(value, int) and not isinstance(value, bool) else otherwise

    return read


def _of(events: Sequence[Event], kind: str) -> list[Event]:
    return [event for event in events if event["kind"] == kind]


def _evaluated(
    evaluation: Mapping[str, Any], count: int
) -> tuple[dict[str, list[float | None]], dict[str, dict[str, float]]]:
    """Figures of `jaxgen evaluate` for each seed, and what they are held against."""
    each = evaluation.get("replicas") if count > 1 else [evaluation]
    if not isinstance(each, list) or not all(isinstance(one, dict) for one in each):
        return {}, {}
    figures: dict[str, list[float | None]] = {}
    beside: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(name for one in each for name in one):
        values = [one.get(name) for one in each]
        if any(isinstance(value, dict) and "value" in value for value in values):
            columns = [value if isinstance(value, dict) else {} for value in values]
            figures[name] = [_number(value.get("value")) for value in columns]
            for column, title in _COLUMNS.items():
                known = [x for value in columns if (x := _number(value.get(column))) is not None]
                if known:
                    beside.setdefault(name, {})[title] = sum(known) / len(known)
        elif any(_number(value) is not None for value in values):
            figures[name] = [_number(value) for value in values]
    nearest = each[0].get("nearest") if each else None
    for name, value in nearest.items() if isinstance(nearest, dict) else ():
        if (known := _number(value)) is not None:
            beside.setdefault(name, {})["nearest neighbour"] = known
    return {name: values for name, values in figures.items() if len(values) == count}, beside


def _number(value: Any) -> float | None:
    """A number as a float; None for what is none, and for one that nobody measured."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_one and abs(value) < _LARGEST else None


def _curves(history: History, of: Sequence[int]) -> dict[str, list[Series]]:
    """Each metric's curves, one for each seed that has it."""
    if len(of) == 1:
        return {name: [series] for name, series in history.items()}
    found: dict[str, list[Series]] = {}
    for seed in of:
        for name, series in seeds.of_seed(history, seed).items():
            found.setdefault(name, []).append(series)
    return found


def _newest(series: Series, config: TrainConfig | None) -> float:
    """The mean of what is measured in every step since the last log line but one; else the last."""
    steps, values = series
    if len(steps) < 2 or steps[-1] - steps[-2] != 1:
        return float(values[-1])
    every = config.log_every if config else 50
    return float(values[steps > (steps[-1] - 1) // every * every].mean())


def _captions(run: Run, notes: list[str]) -> list[tuple[int, list[ToldCaption]]]:
    paths = run.sample_files(".json")
    places = np.linspace(0, len(paths) - 1, min(_MOST_FRAMES, len(paths))).astype(int)
    found = []
    for step, path in (paths[place] for place in dict.fromkeys(places.tolist())):
        try:
            found.append((step, shown_captions.read(path)))
        except JaxgenError as error:
            notes.append(f"captions of step {step} are left out: {error}")
    return found


def words_of(metric: Any) -> FigureWords:
    """How a declared metric is spoken of; see `jaxgen.metrics.base.Metric`."""
    form = getattr(metric, "form", "{:.3f}")
    scale = getattr(metric, "scale", 1)
    return FigureWords(metric.title or metric.key.replace("_", " "), metric.better, form, scale)
