"""A metric is one declaration, which reports, tables and alarms read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from jaxgen.errors import JaxgenError
from jaxgen.settings import Choice

OWN_ORDER = 1000  # after all that come with jaxgen


@dataclass(frozen=True)
class Metric(Choice):
    """What samples and captions are measured by; a new one is a variable in any module.

    The variables of jaxgen's own metrics are named after their keys.
    """

    taken: ClassVar[frozenset[str]] = frozenset()
    """Keys under which a report holds something else."""

    key: str
    """In reports and `metrics.csv`."""

    title: str | None
    """In the table, which leaves out a metric without one."""

    better: str
    """Which figures are better, in words that `is better` can follow."""

    measure: Callable[..., float | None] | None
    """The figure; None where there is nothing to measure it by."""

    order: int = field(default=OWN_ORDER, kw_only=True)
    """In reports and tables the lowest comes first; equal ones are as they were declared."""

    while_training: bool = field(default=False, kw_only=True)
    """Whether it is one of the figures that a run measures as it trains."""

    @classmethod
    def ordered(cls) -> list[Self]:
        """Every metric of this kind: those of jaxgen, then those in files of the user's own.

        Raises:
            JaxgenError: two have the same key, or one has a key that is `taken`.
        """
        names: dict[str, str] = {}
        choices = cls.choices()
        for name, metric in choices.items():
            if metric.key in cls.taken:
                raise JaxgenError(
                    f"the metric {name} has the key {metric.key!r}, under which a report holds "
                    "something else; give it another"
                )
            other = names.setdefault(metric.key, name)
            if other != name:
                raise JaxgenError(
                    f"the metrics {other} and {name} have the same key {metric.key!r}; give one "
                    "of them another"
                )
        return sorted(choices.values(), key=lambda metric: metric.order)

    def figure(self, *given: Any) -> float | None:
        """What `measure` returns, as a float.

        Raises:
            JaxgenError: the metric is of the user's own and fails.
        """
        if self.measure is None:
            return None
        try:
            value = self.measure(*given)
            return None if value is None else float(value)
        except Exception as error:  # code of a user's own raises anything
            name = self.choice_name()
            if ":" not in name:
                raise
            problem = f"{type(error).__name__}: {error}"
            raise JaxgenError(
                f"the metric {name} failed ({problem}); fix it, or leave its file out"
            ) from error
