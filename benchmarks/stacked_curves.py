"""Table and curves of `benchmarks.stacked_digits`."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.records import Row
from jaxgen.display.replacing import replacing

TITLES = {
    "none": "non-saturating",
    "r1": "non-saturating, R1",
    "r1r2": "non-saturating, R1 and R2",
    "relativistic": "relativistic, R1 and R2",
    "packing": "non-saturating, packing 2",
    "recipe": "experiments.stacked_digits",
    "train": "of the digits of training",
    "held_out": "of digits nobody has seen",
}
PANELS = [(across, up) for across in ("step", "seconds") for up in ("modes", "reverse_kl")]
AXES = {"step": "step", "seconds": "seconds of training", "modes": "modes", "reverse_kl": "KL"}


def point(row: Row) -> str:
    """One evaluation in a line."""
    modes = ", ".join(map(str, row["modes"]))
    divergences = ", ".join(f"{kl:.3f}" for kl in row["reverse_kl"])
    return f"step {row['step']:,}, {row['seconds']:.0f} s: modes {modes}; reverse KL {divergences}"


def table(rows: Sequence[Row], floors: Mapping[str, Row]) -> str:
    """Markdown: the last evaluation of each training, and the floors."""
    lines = [
        "| networks | loss | seeds | steps | minutes a seed | processor's | modes | reverse KL |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        last = row["points"][-1]
        first = row["settings"]["seed"]
        count = row["settings"]["replicas"]
        cells = [
            row["networks"],
            TITLES[row["remedy"]],
            str(first) if count == 1 else f"{first} to {first + count - 1}",
            f"{last['step']:,}",
            f"{last['seconds'] / 60:.1f}",
            f"{last['processor_seconds'] / 60:.1f}",
            _spread(last["modes"], ".0f"),
            _spread(last["reverse_kl"], ".3f"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for part, row in floors.items():
        modes, divergences = _spread(row["modes"], ".0f"), _spread(row["reverse_kl"], ".4f")
        lines.append(
            f"| real triples | {TITLES[part]} | {len(row['modes'])} draws | | | | {modes} | "
            f"{divergences} |"
        )
    return "\n".join(lines)


def _spread(values: Sequence[float], form: str) -> str:
    mean = f"{statistics.mean(values):{form}}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):{form}}"


def draw(path: Path, rows: Sequence[Row], floors: Mapping[str, Row]) -> None:
    """Curves of modes and reverse KL over steps and seconds, a row for each pair of networks.

    Args:
        path: PNG to write.
        rows: the trainings; those of several seeds are a mean, in a band from least to most.
        floors: of perfect samplers, a dashed line.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row["networks"] for row in rows))
    figure = Figure(figsize=(15, 3.4 * len(names)), layout="constrained")
    grid = figure.subplots(len(names), len(PANELS), squeeze=False)
    floor = statistics.mean(floors["train"]["reverse_kl"]) if "train" in floors else None
    for name, panels in zip(names, grid, strict=True):
        for axes, (across, up) in zip(panels, PANELS, strict=True):
            for index, remedy in enumerate(TITLES):
                for row in rows:
                    if (row["networks"], row["remedy"]) == (name, remedy):
                        x = [one[across] for one in row["points"]]
                        values = [one[up] for one in row["points"]]
                        axes.plot(
                            x,
                            [statistics.mean(value) for value in values],
                            marker=".",
                            color=f"C{index}",
                            label=TITLES[remedy],
                        )
                        least, most = ([end(value) for value in values] for end in (min, max))
                        axes.fill_between(x, least, most, color=f"C{index}", alpha=0.2, linewidth=0)
            if up == "reverse_kl":
                axes.set_yscale("log")
                if floor is not None:
                    axes.axhline(floor, color="black", linestyle="--", linewidth=1, label="floor")
            else:
                axes.set_ylim(0, 1040)
            axes.set_xlabel(AXES[across])
            axes.set_ylabel(AXES[up])
            axes.grid(alpha=0.3)
        panels[0].set_title(name, loc="left")
        panels[1].legend(fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=80, format="png")
