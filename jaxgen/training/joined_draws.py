"""The random draws of a program joined, so that it compiles sooner.

XLA compiles the hash behind each draw anew, and an initial state draws most of its parameters.
Joined, they are the same numbers to the last bit: the n-th number of a key is a hash of the two,
whichever others are asked for (`jax_threefry_partitionable`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun, jaxprs_in_params
from jax.extend.random import threefry2x32_p

_FOLD, _DRAW = "random_fold_in", "random_bits"
_MOST = 2**22
"""Numbers of a joined draw: larger ones would take memory, and are not what takes long."""


def joined(program: ClosedJaxpr) -> Callable[..., list[Any]]:
    """The same function with as few draws as its keys allow, to be compiled.

    Args:
        program: of `jax.make_jaxpr`. Draws within its loops and branches stay as they are.

    Returns:
        A function of the program's flat arguments, which gives its flat results, bit for bit.
    """

    def run(*arguments: Any) -> list[Any]:
        steps: list[_Step] = []
        results = _inlined(program, [_Value(argument) for argument in arguments], steps)
        while steps:
            waiting = []
            for step in steps:  # a step comes after those that it needs
                if step.is_ready() and step.name not in (_FOLD, _DRAW):
                    step.run()
                else:
                    waiting.append(step)
            ready = [step for step in waiting if step.is_ready()]
            folds = [step for step in ready if step.name == _FOLD]
            if folds:  # they make keys, so that more can be drawn at once
                _fold(folds)
            else:
                _draw(ready)
            steps = [step for step in waiting if not step.is_done()]
        return [result.known for result in results]

    return run


@dataclass(eq=False)
class _Value:
    """What a variable of the program stands for, once it is known."""

    known: Any = None


@dataclass(frozen=True, eq=False)
class _Step:
    """An equation of the program, which makes values of others."""

    jaxpr: Jaxpr
    equation: JaxprEqn
    given: Sequence[_Value]
    made: Sequence[_Value]

    @property
    def name(self) -> str:
        return self.equation.primitive.name

    def is_ready(self) -> bool:
        return all(value.known is not None for value in self.given)

    def is_done(self) -> bool:
        return all(value.known is not None for value in self.made)

    def run(self) -> None:
        taken = {
            variable: value.known
            for variable, value in zip(self.equation.invars, self.given, strict=True)
            if not isinstance(variable, Literal)
        }
        alone = self.jaxpr.replace(
            constvars=[],
            invars=list(taken),
            outvars=list(self.equation.outvars),
            eqns=[self.equation],
        )
        self.make(jaxpr_as_fun(ClosedJaxpr(alone, []))(*taken.values()))

    def make(self, results: Sequence[Any]) -> None:
        for value, result in zip(self.made, results, strict=True):
            value.known = result


def _inlined(program: ClosedJaxpr, arguments: Sequence[_Value], steps: list[_Step]) -> list[_Value]:
    """Append the program's steps, those of nested functions that draw too; returns its results."""
    jaxpr = program.jaxpr
    values = dict(zip(jaxpr.invars, arguments, strict=True))
    values |= {
        name: _Value(const) for name, const in zip(jaxpr.constvars, program.consts, strict=True)
    }

    def value(atom: Any) -> _Value:
        return _Value(atom.val) if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        given = [value(atom) for atom in equation.invars]
        if equation.primitive.name == "jit" and _draws(equation.params["jaxpr"].jaxpr):
            made = _inlined(equation.params["jaxpr"], given, steps)
        else:
            made = [_Value() for _ in equation.outvars]
            steps.append(_Step(jaxpr, equation, given, made))
        values |= zip(equation.outvars, made, strict=True)
    return [value(atom) for atom in jaxpr.outvars]


def _draws(jaxpr: Jaxpr) -> bool:
    return any(
        equation.primitive.name == _DRAW or any(map(_draws, jaxprs_in_params(equation.params)))
        for equation in jaxpr.eqns
    )


def _fold(steps: Sequence[_Step]) -> None:
    """Fold a number into each key: into single ones at once."""
    single = []
    for step in steps:
        if any(jnp.ndim(value.known) for value in step.given):
            step.run()
        else:
            single.append(step)
    if single:
        keys, numbers = (jnp.stack([step.given[i].known for step in single]) for i in (0, 1))
        folded = jax.vmap(jax.random.fold_in)(keys, numbers)
        for index, step in enumerate(single):
            step.make([folded[index]])


def _draw(steps: Sequence[_Step]) -> None:
    """Draw 32-bit numbers of many keys at once, and others one by one."""
    group: list[_Step] = []
    for step in steps:
        if not _can_be_joined(step):
            step.run()
            continue
        if sum(map(_size, [*group, step])) > _MOST:
            _draw_at_once(group)
            group = []
        group.append(step)
    _draw_at_once(group)


def _can_be_joined(step: _Step) -> bool:
    return (
        step.equation.params["bit_width"] == 32
        and jax.random.key_impl(step.given[0].known) == "threefry2x32"
        and bool(jax.config.jax_threefry_partitionable)  # type: ignore[attr-defined]
        and 0 < _size(step) <= _MOST
    )


def _shape(step: _Step) -> tuple[int, ...]:
    return (*step.given[0].known.shape, *step.equation.params["shape"])


def _size(step: _Step) -> int:
    return math.prod(_shape(step))


def _draw_at_once(steps: Sequence[_Step]) -> None:
    if not steps:
        return
    first, second, counts = [], [], []
    for step in steps:
        count = math.prod(step.equation.params["shape"])
        for word0, word1 in jax.random.key_data(step.given[0].known).reshape(-1, 2):
            first.append(jnp.broadcast_to(word0, count))
            second.append(jnp.broadcast_to(word1, count))
            counts.append(jnp.arange(count, dtype=jnp.uint32))
    low = jnp.concatenate(counts)
    high, low = threefry2x32_p.bind(
        jnp.concatenate(first), jnp.concatenate(second), jnp.zeros_like(low), low
    )
    bits, start = high ^ low, 0
    for step in steps:
        part = bits[start : start + _size(step)]
        step.make([part.reshape(_shape(step))])
        start += _size(step)
