"""From an experiment's configuration to command-line flags to a trained run."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import tyro

from jaxgen import configs
from jaxgen.configs import Choice
from jaxgen.errors import JaxgenError
from jaxgen.task import TrainConfig

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
    """Run a command; print bad input, or what the file system refused, as one line, and exit."""
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
    sys.exit(status)


def use_compilation_cache() -> None:
    """Keep compiled programs in the user's cache folder, so that a second start does not wait."""
    import jax

    from jaxgen.data import cache

    if not jax.config.jax_compilation_cache_dir:
        jax.config.update("jax_compilation_cache_dir", str(cache.folder() / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _train(config: TrainConfig, description: str, argv: Sequence[str], prog: str) -> int:
    chosen = parse(config, description, argv, prog)
    chosen.validate()
    # Late, so that --help and a wrong flag answer at once.
    import flax.serialization

    from jaxgen import runs
    from jaxgen.train import fit, init_state

    use_compilation_cache()
    run = runs.Run(chosen.workdir)
    resumed = run.exists()
    if resumed:
        chosen = _agreed(run, config, chosen, lambda default: parse(default, "", argv, prog))
    task = chosen.task()
    state, start = init_state(task, chosen), 0
    if not resumed:
        record = {"config": _recorded(chosen), "default": _recorded(config), "about": task.about}
        run.create(record)
    elif changed := configs.differences(run.record()["about"], task.about):
        raise JaxgenError(f"{run.path} was trained on other data ({'; '.join(changed)})")
    elif restored := run.checkpoints().restore():
        for sentence in runs.damage_report(restored):
            print(sentence, file=sys.stderr)
        for step in restored.damaged:
            run.checkpoints().set_aside(step)
        state, start = flax.serialization.from_state_dict(state, restored.state), restored.step
    if start == chosen.steps:
        print(f"{run.path} is finished: {start} steps, pictures in {run.samples_path}")
        return 0
    what = f"going on at step {start}" if start else "starting"
    print(f"{what} in {run.path}, {chosen.steps} steps", file=sys.stderr)
    recorder = runs.Recorder(run, chosen, start)
    try:
        outcome = fit(task, chosen, state, start, recorder)
    except BaseException:
        recorder.close()
        raise
    recorder.finish(outcome)
    if outcome.interrupted:
        print(f"stopped at step {outcome.step}; the same command goes on", file=sys.stderr)
        return 128 + outcome.interrupted
    newest = run.samples_path / f"step_{outcome.step:06d}.png"
    print(
        f"done: {outcome.step} steps in {outcome.seconds:.0f} s; samples {newest}, run {run.path}"
    )
    return 0


def _recorded(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON, without the place it is kept in: a run may be moved."""
    recorded = configs.to_json(config)
    del recorded["workdir"]
    return recorded


def _agreed(run, default: TrainConfig, chosen: TrainConfig, parse_over) -> TrainConfig:
    """The configuration to go on with in an existing run.

    Flags that are not given take the run's numbers, as long as the experiment's defaults are what
    they were when the run began; anything else that differs is refused by name.
    """
    record = run.record()
    same_default = record["default"] == json.loads(json.dumps(_recorded(default)))
    if same_default:
        kept = configs.from_json({**record["config"], "workdir": chosen.workdir})
        chosen = parse_over(kept)
    changed = configs.differences(record["config"], json.loads(json.dumps(_recorded(chosen))))
    if changed:
        raise JaxgenError(
            f"{run.path} was trained with another configuration ({'; '.join(changed)}); "
            "give the same flags to go on, or another --workdir"
        )
    return chosen
