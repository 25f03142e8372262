"""What a page says about several runs together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.display.report import pictures
from jaxgen.display.report.captions import Data, small
from jaxgen.display.report.comparison import MISSING, Comparison
from jaxgen.display.report.html import element, name, table, text
from jaxgen.display.report.quoting import quote
from jaxgen.display.report.sections import Part, charts
from jaxgen.display.report.told import Told, ToldCaption

_ROOM = 450_000  # bytes of all pictures side by side
_MOST_IMAGES = 12


def sections_of(
    comparison: Comparison,
    beside: Mapping[str, np.ndarray],
    panels: Sequence[Mapping[str, Any]],
    data: Data,
) -> list[Part]:
    """The parts of a comparison."""
    return [
        ("Comparison", "comparison", _groups(comparison) + _runs(comparison)),
        ("Differences of configuration", "configuration", _differences(comparison)),
        ("Curves", "curves", charts(panels)),
        ("Side by side", "beside", _side_by_side(comparison, beside)),
        ("To quote", "quote", quote(comparison)),
    ]


def _groups(comparison: Comparison) -> str:
    """A row for each configuration: mean and spread of each figure, and what chance makes of it."""
    main = comparison.main
    figures = [main, *(figure for figure in comparison.figures if figure != main)] if main else []
    words = {figure: comparison.words(figure) for figure in figures}
    best = {figure: comparison.best(figure) for figure in figures}
    head, under = ["group", "seeds"], ["", ""]
    for figure in figures:
        head.append(text(words[figure].title))
        under.append(text(f"{words[figure].better} is better" if words[figure].better else ""))
    head.insert(3, "p")
    under.insert(3, "")
    rows, values = [], []
    for group in comparison.groups:
        cells, sorted_by = [], []
        for figure in figures:
            cell, summary = text(group.written(figure, words[figure])), group.summary(figure)
            if best[figure] is group:
                cell = element("strong", cell + " " + element("span", "best", class_="mark"))
            cells.append(cell)
            sorted_by.append(summary[0] if summary else None)
        p = comparison.differences(group, main)
        cells.insert(1, MISSING if p is None else f"{p:.2g}")
        sorted_by.insert(1, p)
        runs = element("br").join(name(run.name) for run in group.runs[:12])
        more_runs = f"<br>and {len(group.runs) - 12} more" if len(group.runs) > 12 else ""
        head_cell = element("b", text(group.label)) + element("small", runs + more_runs)
        rows.append([head_cell, str(group.seeds), *cells])
        values.append([group.label, group.seeds, *sorted_by])
    made = table(head, rows, caption="Configurations", values=values, under=under)
    note = (
        f"Mean ± standard deviation over seeds. p: of an exact rank test (Mann-Whitney, two-sided) "
        f"of {words[main].title if main else 'the figure'} against the best group; with few seeds "
        "it cannot be small, with three each not under 0.1."
    )
    return made + element("p", text(note), class_="quiet")


def _runs(comparison: Comparison) -> str:
    """A row for each run."""
    figures = comparison.figures[:6]
    head = ["run", "group", "state", "step", "seed", *(comparison.words(f).title for f in figures)]
    rows, values = [], []
    for group in comparison.groups:
        for run in group.runs:
            seeds = ", ".join(map(str, run.seeds[:8])) + (", ..." if len(run.seeds) > 8 else "")
            means = [_mean(run, figure) for figure in figures]
            written = [
                MISSING if mean is None else comparison.words(figure).written(mean)
                for figure, mean in zip(figures, means, strict=True)
            ]
            rows.append(
                [
                    name(run.name),
                    text(group.label),
                    run.state,
                    f"{run.step:,}",
                    seeds,
                    *map(text, written),
                ]
            )
            values.append([run.name, group.label, run.state, run.step, min(run.seeds), *means])
    return table([text(title) for title in head], rows, caption="Runs", values=values)


def _mean(run: Told, figure: str) -> float | None:
    known = [value for value in run.figures.get(figure, ()) if value is not None]
    return sum(known) / len(known) if known else None


def _differences(comparison: Comparison) -> str:
    """Only the settings in which runs differ."""
    if not comparison.changed:
        return element("p", "The runs differ in nothing but their seeds.", class_="quiet")
    groups = comparison.groups
    rows = [
        [element("code", text(setting)), *(text(comparison.setting(g, setting)) for g in groups)]
        for setting in comparison.changed
    ]
    return table(["setting", *(text(g.label) for g in groups)], rows, caption="Differences")


def _side_by_side(comparison: Comparison, beside: Mapping[str, np.ndarray]) -> str:
    """Samples from the same noise, or captions of the same pictures."""
    captioning = [run for run in comparison.runs if run.captions]
    made = _same_pictures(comparison, captioning) if len(captioning) > 1 else ""
    drawing = [
        (g, run)
        for g in comparison.groups
        for run in g.runs
        if run.frames and run not in captioning
    ]
    if not drawing:
        return made or element("p", "There is nothing to be seen yet.", class_="quiet")
    room, problems = _ROOM // len(drawing), []
    figures = ""
    for group, run in drawing:
        if run.name in beside:
            address, step = pictures.address_of(beside[run.name], room), run.step
        else:
            frames, wrong = pictures.of_run(run.frames, room, 1)
            problems += [f"{run.name}: {problem}" for problem in wrong]
            if not frames:
                continue
            step, address, _ = frames[0]
        image = element(
            "img", src=address, alt=f"Samples of {run.name} after {step:,} steps", class_="pixels"
        )
        under = element("b", text(group.label)) + " " + name(run.name) + text(f", step {step:,}")
        figures += element("figure", image + element("figcaption", under))
    if len(beside) > 1:
        said = "Each picture is drawn from the same noise."
    else:
        said = "Pictures as training left them: runs of the same seed drew from the same noise."
    told = "".join(element("p", text(problem), class_="note") for problem in problems)
    return (
        made + element("p", said, class_="quiet") + told + element("div", figures, class_="beside")
    )


def _same_pictures(comparison: Comparison, captioning: Sequence[Told]) -> str:
    """A row for each picture that several runs captioned, a column for each run."""
    newest: dict[str, dict[tuple[int, bytes], ToldCaption]] = {}
    for run in captioning:
        captions = run.captions[-1][1]
        first = captions[0].seed if captions else 0  # of replicas the first
        newest[run.name] = {(c.image, c.picture): c for c in captions if c.seed == first}
    counts: dict[tuple[int, bytes], int] = {}
    for own in newest.values():
        for key in own:
            counts[key] = counts.get(key, 0) + 1
    shared = [key for key, count in counts.items() if count > 1][:_MOST_IMAGES]
    if not shared:
        return element("p", "The runs did not caption the same pictures.", class_="quiet")
    runs = [(group, run) for group in comparison.groups for run in group.runs if run in captioning]
    rows = []
    for image, picture in shared:
        known = next(own[image, picture] for own in newest.values() if (image, picture) in own)
        address = small(picture)
        seen = f"picture {image}"
        if address:
            seen = element(
                "img", src=address, alt=f"Picture {image}: {known.true}", class_="pixels"
            )
        cells = []
        for _, run in runs:
            caption = newest[run.name].get((image, picture))
            cells.append(
                element("span", text(caption.sentence), dir="auto") if caption else MISSING
            )
        true = element("span", text(known.true), dir="auto")
        rows.append([seen, true, *cells])
    head = ["picture", "true", *(f"{text(group.label)} {name(run.name)}" for group, run in runs)]
    return table(head, rows, caption="Captions of the same pictures")
