"""Fields say which values make sense, and one place holds a configuration against them."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from jaxgen import settings
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting


@dataclass(frozen=True)
class Inner:
    rate: float = setting(0.5, above=0)
    share: float = setting(0.5, least=0, below=1)

    def check_together(self):
        if self.rate == self.share == 0.25:
            raise JaxgenError(f"give {settings.flag('rate')} or {settings.flag('share')}, not both")


@dataclass(frozen=True)
class Outer:
    steps: int = setting(3, least=1)
    side: int = setting(8, least=1, most=16)
    sizes: tuple[int, ...] = setting((1, 2), least=1)
    pair: tuple[int, int] = (1, 2)
    word: Literal["a", "b"] = "a"
    yes: bool = False
    name: str = ""
    maybe: int | None = None
    anything: Any = None
    inner: Inner = Inner()


def test_what_makes_sense_passes():
    settings.check(Outer())
    settings.check(Outer(steps=np.int64(5), inner=Inner(rate=1), maybe=4, sizes=()))
    settings.check(Outer(steps=2**63 - 1))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Outer(steps=0), "steps must be at least 1, got 0"),
        (Outer(steps=1.0), "steps must be a whole number, got 1.0"),
        (Outer(steps=True), "steps must be a whole number, got True"),
        (Outer(steps="3"), "steps must be a whole number, got '3'"),
        (Outer(side=17), "side must be at most 16, got 17"),
        (Outer(side=0), "side must be at least 1, got 0"),
        (Outer(sizes=(1, 0)), r"sizes must be at least 1, got \(1, 0\)"),
        (Outer(sizes=[1]), "sizes must be a tuple, each item a whole number"),
        (Outer(pair=(1, 2, 3)), "pair must be a tuple of 2"),
        (Outer(word="c"), "word must be 'a' or 'b', got 'c'"),
        (Outer(yes=1), "yes must be true or false, got 1"),
        (Outer(name=None), "name must be a string, got None"),
        (Outer(maybe="x"), "maybe must be a whole number or a NoneType"),
        (Outer(inner=3), "inner must be a Inner, got 3"),
        (Outer(inner=Inner(rate=0)), "inner.rate must be positive, got 0"),
        (Outer(inner=Inner(rate=float("nan"))), "inner.rate must be finite, got nan"),
        (Outer(inner=Inner(rate=float("inf"))), "inner.rate must be finite, got inf"),
        (Outer(steps=2**63), "steps must be at most 9223372036854775807, got 92233720"),
        (Outer(inner=Inner(rate=3.5e38)), "inner.rate must be between -3.4e38 and 3.4e38"),
        (Outer(inner=Inner(rate=10**400)), "inner.rate must be between -3.4e38 and 3.4e38"),
        (Outer(inner=Inner(rate=1e-46)), "inner.rate must be above 0 in float32 too.* to 0, got"),
        (Outer(inner=Inner(share=1 - 1e-12)), "inner.share must be below 1 in float32 too.* to 1,"),
        (Outer(inner=Inner(share=1.0)), r"inner.share must be in \[0, 1\), got 1.0"),
        (Outer(inner=Inner(rate=0.25, share=0.25)), "give rate or share, not both"),
    ],
)
def test_what_does_not_is_named(config, words):
    with pytest.raises(JaxgenError, match=words):
        settings.check(config)


def test_messages_name_flags_on_the_command_line_and_fields_in_python():
    with pytest.raises(JaxgenError, match=r"^inner\.rate must"):
        settings.check(Outer(inner=Inner(rate=0)))
    with settings.flags_spelled(), pytest.raises(JaxgenError, match=r"^--inner\.rate must"):
        settings.check(Outer(inner=Inner(rate=0)))
    with settings.flags_spelled():
        assert settings.flag("data.max_train") == "--data.max-train"
    assert settings.flag("data.max_train") == "data.max_train"


def test_bad_input_is_a_value_error():
    assert issubclass(JaxgenError, ValueError)
