"""From an experiment's configuration to command-line flags, and what all commands share."""

import dataclasses
import io
import os
import shlex
import signal
import sys
import traceback
import typing
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import tyro

from jaxgen import settings
from jaxgen.commands import job
from jaxgen.commands.devices import in_words, tell_devices
from jaxgen.commands.guard import run_guarded, status_of
from jaxgen.commands.job import Job
from jaxgen.errors import JaxgenError
from jaxgen.settings import Choice
from jaxgen.training import configs
from jaxgen.training.task import TrainConfig

C = TypeVar("C")
_registry = tyro.constructors.ConstructorRegistry()


@_registry.primitive_rule
def _choice_by_name(
    info: tyro.constructors.PrimitiveTypeInfo,
) -> tyro.constructors.PrimitiveConstructorSpec | None:
    """A `Choice` field becomes a flag that takes one of its names."""
    if not (isinstance(info.type, type) and issubclass(info.type, Choice)):
        return None
    cls, choices = info.type, info.type.choices()
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(choices) + "}",
        instance_from_str=lambda words: choices[words[0]],
        is_instance=lambda value: isinstance(value, cls),
        str_from_instance=lambda value: [value.choice_name()],
        choices=tuple(choices),
    )


def parse(config: C, description: str, argv: Sequence[str], prog: str) -> C:
    """`config` with the numbers that the flags in `argv` set; exits with 2 on a wrong flag."""
    _print_any_name()
    with _registry:
        return tyro.cli(
            type(config), default=config, args=list(argv), prog=prog, description=description
        )


def parse_command(config: type[C], argv: Sequence[str], prog: str) -> C:
    """The configuration of a command, described by its docstring, and checked.

    Raises:
        JaxgenError: a number is out of its range.
    """
    _print_any_name()
    parsed = tyro.cli(config, args=list(argv), prog=prog, description=config.__doc__)
    settings.check(parsed)
    return parsed


def parse_known(config: type[C], argv: Sequence[str], prog: str) -> tuple[C, list[str]]:
    """What `parse_command` gives, and the flags that the command does not know.

    Raises:
        JaxgenError: a number is out of its range.
    """
    _print_any_name()
    parsed, rest = tyro.cli(
        config,
        args=list(argv),
        prog=prog,
        description=config.__doc__,
        return_unknown_args=True,
    )
    settings.check(parsed)
    return parsed, list(rest)


def chosen(default: TrainConfig, flags: Sequence[str], prog: str) -> TrainConfig:
    """An experiment's configuration with what flags change, `--FIELD NAME` and `--import` too.

    Raises:
        JaxgenError: a number is out of its range, or there is no such class.
    """
    left = list(flags)
    for place in _taken(left, "--import"):
        settings.import_own(place)
    parsed = parse(_with_classes(default, left), prog, left, prog)
    settings.check(parsed)
    return parsed


def _print_any_name() -> None:
    """Let names of files be printed that are no text, or none in the terminal's encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main(
    config: TrainConfig,
    description: str | None,
    argv: Sequence[str] | None = None,
    presets: Mapping[str, TrainConfig] = MappingProxyType({}),
) -> None:
    """Train what the configuration says, with flags for each of its numbers, and exit.

    Beside the numbers, `--FIELD NAME` takes another class for a field that holds one of several
    (`--data pictures`, `--networks mlp`), `--preset NAME` starts from other defaults, `--import
    FILE` makes code of a user's own known, `--watch NAME` tells others of the run, and
    `--reschedule` extends a run whose schedule depends on the number of steps.

    Args:
        config: the experiment's defaults.
        description: shown by --help.
        argv: flags; the process's own by default.
        presets: other defaults, chosen by `--preset NAME`.

    Exit status: 0 trained, 2 bad input, 1 diverged, 128 + signal when interrupted.
    """

    def command() -> int:
        flags = list(sys.argv[1:] if argv is None else argv)
        line = shlex.join([*_prog().split(), *flags])
        for place in _taken(flags, "--import"):
            settings.import_own(place)
        default = _preset(config, presets, _taken(flags, "--preset"))
        switches = {name for name in ("--reschedule", "--distributed") if name in flags}
        flags = [flag for flag in flags if flag not in switches]
        names = ("coordinator", "processes", "process")
        watched = _taken(flags, "--watch")
        given = {name: values[-1] for name in names if (values := _taken(flags, f"--{name}"))}
        told = description or ""
        if {"-h", "--help"} & set(flags):  # only then: to find every class takes half a second
            told = _described(config, _with_classes(default, list(flags)), told, presets)
        how = {"reschedule": "--reschedule" in switches, "watch": watched}
        if not given and "--distributed" not in switches:
            return _train(default, told, flags, line, how)
        joined = Job.of_flags(given)
        return _member(joined, lambda: _train(default, told, flags, line, how))

    run_guarded(command)


def _member(joined: Job, train: Callable[[], int]) -> int:
    """Train as one of several processes; the command itself only waits for the one that does."""
    if not job.is_member():
        return job.start(joined)
    try:
        job.join(joined)
        status = status_of(train)
    except JaxgenError:
        raise
    except Exception as error:
        if job.is_of_runtime(error):
            job.wait_for_the_end()
        traceback.print_exc()
        status = 1
    if status not in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM):
        job.leave(status)
    return status


def _taken(flags: list[str], name: str) -> list[str]:
    """The values of a flag that may come several times; it is taken out of `flags`."""
    values = []
    while True:
        index = next((i for i, f in enumerate(flags) if f == name or f.startswith(f"{name}=")), -1)
        if index < 0:
            return values
        joined = "=" in flags[index]
        value = flags[index].partition("=")[2] if joined else "".join(flags[index + 1 : index + 2])
        if not value or (not joined and value.startswith("--")):
            raise JaxgenError(f"{name} needs a value")
        values.append(value)
        del flags[index : index + (1 if joined else 2)]


def _preset(
    config: TrainConfig, presets: Mapping[str, TrainConfig], names: list[str]
) -> TrainConfig:
    for name in names[-1:]:
        if name not in presets:
            known = ", ".join(presets) or "this experiment has none"
            raise JaxgenError(f"--preset {name}: there is no such preset ({known})")
        return presets[name]
    return config


def _class_fields(config: Any) -> dict[str, type]:
    """Fields whose type is a base of several configuration classes, with that base."""
    hints = typing.get_type_hints(type(config))
    return {
        field.name: hints[field.name]
        for field in dataclasses.fields(config)
        if dataclasses.is_dataclass(hints[field.name])
        and not issubclass(hints[field.name], Choice)
        and type(getattr(config, field.name)) is not hints[field.name]
    }


def _with_classes(config: Any, flags: list[str], prefix: str = "") -> Any:
    """The configuration with the classes that `--FIELD NAME` flags choose, taken from `flags`.

    What the experiment has set of its own keeps its value, if it is one that the new class takes;
    what it left at the old class's default takes the new one's. What a class holds may have classes
    to choose too: `--objective.reward NAME`.
    """
    for name, base in _class_fields(config).items():
        for chosen in _taken(flags, settings.flag(prefix + name))[-1:]:
            known = settings.subclasses(base)
            if chosen not in known:
                known = settings.subclasses(base, everywhere=True)
            if chosen not in known:
                raise JaxgenError(
                    f"{settings.flag(prefix + name)} {chosen}: there are {', '.join(known)}"
                    " (--import FILE for one of your own)"
                )
            old = getattr(config, name)
            if type(old) is known[chosen]:
                continue
            hints = typing.get_type_hints(known[chosen])
            defaults = {field.name: field.default for field in dataclasses.fields(old)}
            kept = {
                field.name: value
                for field in dataclasses.fields(known[chosen])
                if field.name in defaults
                and (value := getattr(old, field.name)) != defaults[field.name]
                and not settings.field_problem(value, hints[field.name], settings.rules(field))
            }
            try:
                new = known[chosen](**kept)
            except TypeError as error:
                raise JaxgenError(
                    f"{settings.flag(prefix + name)} {chosen}: give its fields defaults ({error})"
                ) from error
            config = dataclasses.replace(config, **{name: new})
        inner = getattr(config, name)
        within = _with_classes(inner, flags, f"{prefix}{name}.")
        if within is not inner:
            config = dataclasses.replace(config, **{name: within})
    return config


def _described(
    config: TrainConfig,
    chosen: TrainConfig,
    description: str,
    presets: Mapping[str, TrainConfig],
) -> str:
    """The description for --help, with what is no flag of the configuration itself."""
    for name, preset in presets.items():
        changed = configs.differences(configs.to_json(config), configs.to_json(preset))
        description += f"\n--preset {name}: {'; '.join(map(str, changed))}\n"
    description += _described_classes(chosen)
    return (
        f"{description}\n--import FILE: code of your own, for its classes and choices\n"
        "\n--watch NAME: also tell wandb, mlflow or FILE.py:CLASS, once or several times\n"
        "\n--distributed: train with the other processes of a TPU pod or a SLURM job; elsewhere "
        "--coordinator HOST:PORT --processes N --process I\n"
        "\n--reschedule: extend a run whose schedule depends on the number of steps\n"
    )


def _described_classes(config: Any, prefix: str = "") -> str:
    told = ""
    for name, base in _class_fields(config).items():
        told += f"\n{settings.flag(prefix + name)} {{{','.join(settings.subclasses(base))}}}\n"
        told += _described_classes(getattr(config, name), f"{prefix}{name}.")
    return told


def _prog() -> str:
    """How this command was called, for --help."""
    if " " in sys.argv[0]:  # `jaxgen train NAME`
        return sys.argv[0]
    spec = sys.modules["__main__"].__spec__
    return f"python -m {spec.name}" if spec else os.path.basename(sys.argv[0])


def _train(
    default: TrainConfig, description: str, argv: list[str], line: str, how: dict[str, Any]
) -> int:
    def chosen_over(base: TrainConfig) -> TrainConfig:
        flags = list(argv)
        base = _with_classes(base, flags)
        return parse(base, description, flags, _prog())

    chosen = chosen_over(default)
    settings.check(chosen)
    # Late, so that --help and a wrong flag answer at once.
    import jax

    from jaxgen.training import devices, experiment
    from jaxgen.training.run_folder import Run

    run = Run(chosen.workdir)
    if run.exists():
        chosen = _filled(run, default, chosen, chosen_over)
        settings.check(chosen)
    used = devices.chosen(chosen.devices)
    tell_devices(used, precision=chosen.precision)
    said = {"command": line, "hardware": in_words(used, jax.devices())}
    outcome = experiment.train(chosen, default, said=said, **how)
    if outcome is None:
        print(f"{run.path} is finished: {chosen.steps} steps, pictures in {run.samples_path}")
        return 0
    if outcome.interrupted:
        print(f"stopped at step {outcome.step}; the same command goes on", file=sys.stderr)
        return 128 + outcome.interrupted
    shown = [run.samples_path / f"step_{outcome.step:06d}.png", run.report_path]
    there = ", ".join(str(path) for path in shown if path.is_file())
    print(f"done: {outcome.step} steps in {outcome.seconds:.0f} s; look at {there or run.path}")
    return 0


def _filled(
    run: Any,
    default: TrainConfig,
    chosen: TrainConfig,
    chosen_over: Callable[[TrainConfig], TrainConfig],
) -> TrainConfig:
    """The configuration with the run's numbers for flags that are not given.

    Only as long as the experiment's defaults are what they were when the run began.
    """
    from jaxgen.training import experiment

    record = run.record()
    then = experiment.recorded(experiment.read_config(run, record.default))
    if then != experiment.recorded(default):
        return chosen
    return chosen_over(
        dataclasses.replace(experiment.read_config(run, record.config), workdir=chosen.workdir)
    )
