"""What came of the attempts: a sentence for each, and a Markdown table of medians."""

import math
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.records import Row
from benchmarks.time_to_quality.recipes import Goal

_SIDES = {"jaxgen": "jaxgen", "torch": "PyTorch"}


def seconds(row: Row) -> float:
    """When the target was reached; infinite if it was not."""
    last = row["evaluations"][-1]
    return last["seconds"] if last["reached"] else math.inf


def outcome(row: Row, goal: Goal) -> str:
    """How an attempt ended, in words."""
    last, begins = row["evaluations"][-1], row["first_step_begins"]
    if not last["reached"]:
        best = goal.best([each["figure"] for each in row["evaluations"]])
        return (
            f"{goal} not reached in {last['step']} steps, {last['seconds']:.1f} s; "
            f"{best:.3g} was the best"
        )
    return (
        f"{goal.name} {last['figure']:.3g} after {last['step']} steps, {last['seconds']:.1f} s, "
        f"of which {begins:.1f} s before the first"
    )


def table(rows: Sequence[Row], goals: Mapping[str, Goal]) -> str:
    """Markdown, a line for each experiment and recipe.

    The seconds are the median over seeds, those that did not reach the target being the slowest,
    and each seed's; the steps are those of the median. The ratio is that of the medians, PyTorch's
    divided by jaxgen's.
    """
    first = rows[0]
    lines = [
        f"{first['machine']['cores']} cores ({first['machine']['cpu']}), {first['start']} start; "
        f"{', '.join(f'{name} {version}' for name, version in first['versions'].items())}; "
        f"{first['date']}.",
        "",
        "| | recipe | target | jaxgen | steps | PyTorch | steps | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for experiment, recipe in dict.fromkeys((row["experiment"], row["recipe"]) for row in rows):
        goal, cells, medians = goals[experiment], [], []
        for side in _SIDES:
            some = [
                row
                for row in rows
                if (row["experiment"], row["recipe"], row["side"]) == (experiment, recipe, side)
            ]
            cells += _cells(some)
            medians.append(statistics.median(map(seconds, some)) if some else math.inf)
        is_known = all(map(math.isfinite, medians))
        ratio = f"**{medians[1] / medians[0]:.2f}**" if is_known else "-"
        lines.append(f"| {goal.title} | {recipe} | {goal} | {' | '.join([*cells, ratio])} |")
    return "\n".join(lines)


def _cells(rows: Sequence[Row]) -> list[str]:
    """Seconds and steps of one side's attempts."""
    if not rows:
        return ["-", "-"]
    ordered = sorted(rows, key=seconds)
    middle = ordered[(len(ordered) - 1) // 2]  # the faster one of two
    each = ", ".join(_form(seconds(row)) for row in rows)
    median = _form(statistics.median(map(seconds, rows)))
    median = median if median == "not reached" else f"{median} s"
    shown = f"{median} ({each})" if len(rows) > 1 else median
    steps = f"{middle['evaluations'][-1]['step']:,}" if math.isfinite(seconds(middle)) else "-"
    return [shown, steps]


def _form(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "not reached"
