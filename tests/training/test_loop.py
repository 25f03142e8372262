"""The loop on a task of a few numbers: same results however the steps are divided."""

import dataclasses
import signal
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.training.batches import epoch_indices
from jaxgen.training.divergence import Diverged
from jaxgen.training.loop import Loop
from jaxgen.training.signals import SAID
from jaxgen.training.task import Shown, Source, Task, TrainConfig
from jaxgen.training.watching import Watcher


def toy_task(step=None):
    """A running average of the batches, with noise."""

    def average(state, batch, key):
        noise = jax.random.normal(key, state.shape)
        state = 0.9 * state + 0.1 * batch["x"].mean(axis=0) + 0.01 * noise
        return state, {"loss": jnp.square(state).mean()}

    data = {"x": np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)}
    return Task(
        source=Source.of(data),
        init=lambda key, batch: jax.random.normal(key, batch["x"].shape[1:]),
        step=step or average,
        show=lambda state: Shown(np.zeros((2, 2), np.uint8)),
        watch=lambda state: partial(dict, size=float(state.sum())),
        evaluate=lambda state: {"score": 1.0},
    )


def config(**numbers):
    return TrainConfig(**({"workdir": "", "steps": 23, "batch_size": 4, "log_every": 5} | numbers))


class Recording(Watcher):
    def __init__(self):
        self.rows, self.shown, self.states, self.measured, self.alarms = [], [], {}, {}, []

    def metrics(self, first_step, history):
        self.rows += [(first_step + i, float(v)) for i, v in enumerate(history["loss"])]

    def figures(self, step, figures):
        self.measured[step] = figures

    def show(self, step, shown):
        self.shown.append(step)

    def alarm(self, step, sentence):
        self.alarms.append((step, sentence))

    def checkpoint(self, step, state):
        self.states[step] = np.asarray(state)


def run(task, numbers, state=None, start=0, watcher=None):
    watcher = watcher or Recording()
    return Loop(task, numbers).run(state, start, watcher), watcher


def test_a_loop_knows_its_state_and_takes_steps_by_the_dispatch():
    task, numbers = toy_task(), config()
    loop = Loop(task, numbers)
    assert (loop.state_shapes.shape, loop.state_shapes.dtype) == ((3,), jnp.float32)
    state, history = loop.dispatch(loop.initial_state(), 0, 4)
    assert history["loss"].shape == (5,)
    state, _ = loop.dispatch(state, 4, 1)
    whole, _ = run(task, config(steps=5))
    assert np.array_equal(state, whole.state)


@pytest.mark.parametrize(
    ("flags", "levels"), [("", [1]), ("--xla_backend_optimization_level=0", [])]
)
def test_initialisation_is_compiled_in_haste_unless_a_level_is_given(monkeypatch, flags, levels):
    seen, jit = [], jax.jit

    def noted(*arguments, **options):
        seen.append(options.get("compiler_options") or {})
        return jit(*arguments, **options)

    monkeypatch.setenv("XLA_FLAGS", flags)
    loop = Loop(toy_task(), config())
    monkeypatch.setattr(jax, "jit", noted)
    loop.initial_state()
    assert [options["xla_backend_optimization_level"] for options in seen if options] == levels


def test_any_division_into_dispatches_gives_the_same_bits():
    task = toy_task()
    whole, watched = run(task, config(sample_every=0, checkpoint_every=0))
    odd, watched_odd = run(task, config(sample_every=3, checkpoint_every=7, evaluate_every=4))
    assert np.array_equal(whole.state, odd.state)
    assert watched.rows == watched_odd.rows
    assert [step for step, _ in watched.rows] == list(range(1, 24))
    assert watched_odd.shown == [3, 6, 9, 12, 15, 18, 21, 23]
    assert list(watched_odd.states) == [7, 14, 21, 23]
    assert [step for step, f in watched_odd.measured.items() if "score" in f] == [
        *range(4, 24, 4),
        23,
    ]


def test_what_is_watched_does_not_depend_on_how_often_pictures_are_drawn():
    for sample_every in (0, 3, 10):
        _, watched = run(toy_task(), config(sample_every=sample_every))
        assert [s for s, f in watched.measured.items() if "size" in f] == [5, 10, 15, 20, 23]


def test_steps_between_log_lines_do_not_change_the_bits():
    """Another capacity is another program, of the same arithmetic."""
    whole, _ = run(toy_task(), config(log_every=5))
    for log_every in (1, 2, 7, 23, 400):
        other, _ = run(toy_task(), config(log_every=log_every))
        assert np.array_equal(other.state, whole.state), log_every


def test_going_on_from_a_checkpoint_gives_the_same_bits():
    task = toy_task()
    numbers = config(checkpoint_every=7)
    whole, watched = run(task, numbers)
    resumed, watched_resumed = run(task, numbers, state=watched.states[14], start=14)
    assert np.array_equal(whole.state, resumed.state)
    assert watched_resumed.rows == watched.rows[14:]


def test_a_step_sees_the_batch_and_key_of_its_number():
    def step(state, batch, key):
        expected = batch["x"].sum() + jax.random.uniform(key)
        return state, {"loss": expected}

    task = toy_task(step)
    _, watched = run(task, config(seed=3))
    x = task.source.arrays["x"]
    indices = epoch_indices(20, 4, 3, 0, 23)
    for number, loss in watched.rows:
        key = jax.random.fold_in(jax.random.key(3), number - 1)
        expected = x[indices[number - 1]].sum() + jax.random.uniform(key)
        np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-6)


def test_a_non_finite_loss_stops_and_saves_nothing_after_it():
    def step(state, batch, key):
        state = state + 1
        return state, {"loss": jnp.where(state[0] > 12, jnp.nan, state[0])}

    task = toy_task(step)
    watcher = Recording()
    with pytest.raises(Diverged, match=r"loss is nan at step 13"):
        run(task, config(checkpoint_every=5), jnp.zeros(3), watcher=watcher)
    assert list(watcher.states) == [5, 10]


def test_parameters_that_are_not_finite_are_never_saved():
    """Whoever watches: the loop itself refuses them."""

    def step(state, batch, key):
        broken = jnp.where(state["n"] == 12, jnp.inf, 1.0)
        return {"n": state["n"] + 1, "w": state["w"] * broken}, {"loss": jnp.float32(1)}

    task = toy_task(step)
    states = []

    class Saving(Watcher):
        def checkpoint(self, step, state):
            states.append(step)

    begin = {"n": jnp.int32(0), "w": jnp.ones((2, 2))}
    task = Task(task.source, lambda key, batch: begin, step, task.show)
    with pytest.raises(Diverged, match=r"not finite after step 15 \(\['w'\]\)"):
        run(task, config(checkpoint_every=5), watcher=Saving())
    assert states == [5, 10]


def test_an_alarm_is_said_once_until_it_ends():
    def alarms(history):
        return ["too small"] if history["loss"].mean() < 5 or history["loss"][0] > 12 else []

    def step(state, batch, key):
        return state + 1, {"loss": state[0]}

    toy = toy_task(step)
    task = Task(toy.source, toy.init, step, toy.show, alarms=alarms)
    watcher = Recording()
    run(task, config(steps=20, log_every=2, sample_every=0), jnp.zeros(3), watcher=watcher)
    assert watcher.alarms == [(2, "too small"), (16, "too small")]


def test_alarms_get_the_newest_metrics_and_all_figures():
    seen = []

    def alarms(history):
        seen.append({name: len(values) for name, values in history.items()})
        return []

    toy = toy_task()
    task = Task(toy.source, toy.init, toy.step, toy.show, watch=toy.watch, alarms=alarms)
    run(task, config(steps=7, log_every=2, sample_every=3))
    counts = [(told["loss"], told["size"]) for told in seen]
    assert counts == [(2, 1), (2, 2), (2, 3), (1, 4)]


def test_a_signal_saves_and_ends(capsys):
    task = toy_task()

    class Interrupting(Recording):
        def metrics(self, first_step, history):
            super().metrics(first_step, history)
            if first_step == 6:
                signal.raise_signal(signal.SIGINT)

    watcher = Interrupting()
    numbers = config(checkpoint_every=0)
    outcome, _ = run(task, numbers, watcher=watcher)
    # Raised when the steps to 10 are told, which is while those to 15 are under way.
    assert (outcome.step, outcome.interrupted) == (15, signal.SIGINT)
    assert capsys.readouterr().err == f"\n{SAID}\n"  # at once, not when they are done
    assert list(watcher.states) == [15]
    whole, _ = run(task, numbers)
    resumed, _ = run(task, numbers, state=watcher.states[15], start=15)
    assert np.array_equal(whole.state, resumed.state)


def test_what_cannot_be_drawn_or_measured_loses_no_training():
    """The checkpoint comes first; the next call looks at that state before it goes on."""
    numbers = config(checkpoint_every=10, sample_every=10, evaluate_every=10)
    toy = toy_task()

    def fails(state):
        raise JaxgenError("cannot be drawn")

    for broken in ({"show": fails}, {"watch": fails}, {"evaluate": fails}):
        watcher = Recording()
        with pytest.raises(JaxgenError, match="cannot be drawn"):
            run(dataclasses.replace(toy, **broken), numbers, watcher=watcher)
        step = max(watcher.states, default=0)
        assert step == (0 if "watch" in broken else 10)  # watched at 5 already
    after = Recording()
    Loop(toy, numbers).run(watcher.states[10], 10, after, unseen={"loss": 0.5})
    assert after.shown == [10, 20, 23]
    assert [step for step, figures in after.measured.items() if "score" in figures] == [10, 20, 23]
    assert after.measured[10]["size"] == float(watcher.states[10].sum())
    assert [step for step, _ in after.rows] == list(range(11, 24))


SHARDED = """
import dataclasses, sys
from functools import partial

import jax
from experiments import conditional_dcgan
from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.training.loop import Loop
from jaxgen.training.watching import Watcher

class Printing(Watcher):
    def metrics(self, first_step, history):
        print(jax.device_count(), *history["d_loss"], *history["g_loss"])

networks = DCGAN(hidden=8, generator_channels=(4, 4), discriminator_channels=(2, 2))
config = dataclasses.replace(
    conditional_dcgan.config, networks=networks, steps=3, batch_size=16
)
task = config.task()
task = dataclasses.replace(task, show=lambda state: None)
if jax.device_count() == 4:
    try:
        Loop(task, dataclasses.replace(config, batch_size=18))
    except JaxgenError as error:
        print(error, file=sys.stderr)
Loop(task, config).run(watcher=Printing())
"""


@pytest.mark.long
def test_four_devices_train_as_one_does(on_devices):
    """Batch norm sees the whole batch, wherever its parts are."""
    losses = {}
    for count in (1, 4):
        done = on_devices(SHARDED, count=count)
        devices, *numbers = map(float, done.stdout.split())
        assert devices == count
        losses[count] = numbers
    assert len(losses[1]) == 6
    np.testing.assert_allclose(losses[4], losses[1], rtol=1e-3)
    assert "batch_size 18 does not divide among 4 devices" in done.stderr


def test_a_run_begins_with_what_is_given_and_draws_the_rest():
    """As a captioner whose encoder has learnt elsewhere does."""
    drawn = {"a": {"b": jnp.zeros(2), "c": jnp.ones(3)}, "d": jnp.float32(4)}
    task = dataclasses.replace(
        toy_task(lambda state, batch, key: (state, {"loss": state["d"]})),
        init=lambda key, batch: drawn,
        watch=lambda state: dict,
        begin=lambda: {"a": {"b": np.array([7.0, 8.0])}},
    )
    state = Loop(task, config()).initial_state()
    np.testing.assert_array_equal(state["a"]["b"], [7, 8])
    assert state["a"]["b"].dtype == jnp.float32
    np.testing.assert_array_equal(state["a"]["c"], drawn["a"]["c"])
    assert state["d"] == 4
