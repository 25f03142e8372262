"""From an experiment's configuration to command-line flags to a trained run."""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import tyro

from jaxgen.errors import JaxgenError
from jaxgen.settings import Choice
from jaxgen.training import configs
from jaxgen.training.task import TrainConfig

_registry = tyro.constructors.ConstructorRegistry()


@_registry.primitive_rule
def _choice_by_name(info: tyro.constructors.PrimitiveTypeInfo):
    """A `Choice` field becomes a flag that takes one of its names."""
    if not (isinstance(info.type, type) and issubclass(info.type, Choice)):
        return None
    choices = info.type.choices()
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(choices) + "}",
        instance_from_str=lambda words: choices[words[0]],
        is_instance=lambda value: isinstance(value, info.type),
        str_from_instance=lambda value: [value.choice_name()],
        choices=tuple(choices),
    )


def parse(config: Any, description: str, argv: Sequence[str], prog: str) -> Any:
    """`config` with the numbers that the flags in `argv` set; exits with 2 on a wrong flag."""
    with _registry:
        return tyro.cli(
            type(config), default=config, args=list(argv), prog=prog, description=description
        )


def main(
    config: TrainConfig,
    description: str | None,
    argv: Sequence[str] | None = None,
    presets: Mapping[str, TrainConfig] = MappingProxyType({}),
) -> None:
    """Train what the configuration says, with flags for each of its numbers, and exit.

    Args:
        config: the experiment's defaults.
        description: shown by --help.
        argv: flags; the process's own by default.
        presets: other defaults, chosen by `--preset NAME`.

    Exit status: 0 trained, 2 bad input, 1 diverged, 128 + signal when interrupted.
    """
    spec = sys.modules["__main__"].__spec__
    prog = f"python -m {spec.name}" if spec else os.path.basename(sys.argv[0])
    description = description or ""
    for name, preset in presets.items():
        changed = configs.differences(configs.to_json(config), configs.to_json(preset))
        description += f"\n--preset {name}: {'; '.join(changed)}\n"

    def command() -> int:
        default, flags = _with_preset(config, presets, sys.argv[1:] if argv is None else argv)
        return _train(default, description, flags, prog)

    run_guarded(command)


def _with_preset(config, presets, argv: Sequence[str]) -> tuple[TrainConfig, list[str]]:
    """The configuration that `--preset` names, or else `config`, and the flags that are left."""
    flags = list(argv)
    for index, flag in enumerate(flags):
        if flag == "--preset" or flag.startswith("--preset="):
            name = flag.partition("=")[2] or "".join(flags[index + 1 : index + 2])
            if name not in presets:
                known = ", ".join(presets) or "this experiment has none"
                raise JaxgenError(f"--preset {name}: there is no such preset ({known})")
            return presets[name], flags[:index] + flags[index + (1 if "=" in flag else 2) :]
    return config, flags


def run_guarded(command: Callable[[], int | None]) -> None:
    """Run a command and exit; bad input, a refusing file system and Ctrl-C are told in one line."""
    try:
        status = command()
    except JaxgenError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(JaxgenError.exit_code)
    except KeyboardInterrupt:  # while loading or compiling; the loop takes signals its own way
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    sys.exit(status)


def _train(config: TrainConfig, description: str, argv: Sequence[str], prog: str) -> int:
    chosen = parse(config, description, argv, prog)
    chosen.validate()
    # Late, so that --help and a wrong flag answer at once.
    from jaxgen.training import experiment
    from jaxgen.training import run_folder as runs

    run = runs.Run(chosen.workdir)
    if run.exists():
        chosen = _filled(run, config, chosen, lambda default: parse(default, "", argv, prog))
    outcome = experiment.train(chosen, config)
    if outcome is None:
        print(f"{run.path} is finished: {chosen.steps} steps, pictures in {run.samples_path}")
        return 0
    if outcome.interrupted:
        print(f"stopped at step {outcome.step}; the same command goes on", file=sys.stderr)
        return 128 + outcome.interrupted
    newest = run.samples_path / f"step_{outcome.step:06d}.png"
    print(
        f"done: {outcome.step} steps in {outcome.seconds:.0f} s; samples {newest}, run {run.path}"
    )
    return 0


def _filled(run, default: TrainConfig, chosen: TrainConfig, parse_over) -> TrainConfig:
    """The configuration with the run's numbers for flags that are not given.

    Only as long as the experiment's defaults are what they were when the run began.
    """
    from jaxgen.training import experiment

    record = run.record()
    if record["default"] != experiment.recorded(default):
        return chosen
    return parse_over(configs.from_json(record["config"] | {"workdir": chosen.workdir}))
