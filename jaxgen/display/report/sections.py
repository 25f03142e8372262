"""What a page says about one run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.display.report import curves, pictures
from jaxgen.display.report.captions import Data, cards
from jaxgen.display.report.comparison import Comparison, shown
from jaxgen.display.report.html import element, more, name, section, slider, table, text
from jaxgen.display.report.quoting import quote
from jaxgen.display.report.told import Told

Part = tuple[str, str, str]
"""A heading, the name of its place, and what stands under it."""
_MOST_ALARMS = 200


def titled(heading: str, place: str, inner: str) -> str:
    """A part as a section."""
    return section(heading, inner, place)


def lede(comparison: Comparison) -> str:
    """What a reader should know first."""
    main = comparison.main
    if len(comparison.runs) > 1:
        sentence = f"{len(comparison.runs)} runs of {len(comparison.groups)} configurations."
        best = comparison.best(main)
        if best is not None:
            words = comparison.words(main)
            sentence += (
                f" By {words.title} ({words.better} is better) {best.label} comes first, with "
                f"{best.written(main, words)}."
            )
        return element("p", text(sentence), class_="lede")
    run = next(iter(comparison.runs))
    sentence = f"{standing(run)}."
    if main:
        words = comparison.words(main)
        better = f" ({words.better} is better)" if words.better else ""
        title = words.title[:1].upper() + words.title[1:]
        sentence += f" {title}{better}: {comparison.groups[0].written(main, words)}"
        floors = [f"{k} {words.written(v)}" for k, v in run.beside.get(main, {}).items()]
        sentence += f"; {', '.join(floors)}." if floors else "."
    return element("p", text(sentence), class_="lede")


def standing(run: Told) -> str:
    """How a run stands, in words."""
    steps = f"{run.step:,} of {run.steps:,} steps"
    state = {
        "running": f"Training, {steps} so far",
        "finished": f"Finished after {run.step:,} steps",
        "interrupted": f"Interrupted at {steps}",
        "diverged": f"Diverged at {steps}: {run.end}",
    }[run.state]
    several = f", {len(run.seeds)} seeds side by side" if len(run.seeds) > 1 else ""
    return state + several


def of_one(
    run: Told, comparison: Comparison, room: int, panels: Sequence[Mapping[str, Any]], data: Data
) -> list[Part]:
    """All parts of the page about a single run."""
    return [
        ("Alarms", "alarms", alarms(run) + _notes(run)),
        ("Figures", "figures", figures(run)),
        ("Curves", "curves", charts(panels)),
        ("Captions" if run.captions else "Samples", "samples", samples(run, room, data)),
        ("Configuration", "configuration", configuration(run)),
        ("What was run", "run", _facts(run)),
        ("To quote", "quote", quote(comparison)),
    ]


def of_run(run: Told, room: int, data: Data, *, short: bool) -> list[str]:
    """A run among others: what a comparison does not say of it."""
    inner = [
        element("p", text(f"{standing(run)}.")),
        alarms(run) + _notes(run),
        samples(run, room, data),
        more("Figures", figures(run)),
        more("Configuration", configuration(run)),
        more("What was run", _facts(run)),
    ]
    return [element("h3", name(run.name)), *inner]


def alarms(run: Told) -> str:
    """What looked wrong, in words."""
    if run.state == "diverged" and run.end:
        end = element("p", text(f"Training ended: {run.end}"), class_="alarm")
    else:
        end = ""
    if run.alarms is None:
        words = "The version that wrote this run did not keep its alarms."
        return end + element("p", words, class_="quiet")
    if not run.alarms:
        return end or element("p", "None: nothing looked wrong while it trained.", class_="good")
    items = "".join(
        element("li", element("b", f"Step {step:,}") + ": " + text(sentence))
        for step, sentence in run.alarms[:_MOST_ALARMS]
    )
    more_of_them = len(run.alarms) - _MOST_ALARMS
    if more_of_them > 0:
        items += element("li", f"and {more_of_them} more")
    return end + element("ul", items, class_="alarms")


def _notes(run: Told) -> str:
    return "".join(element("p", text(note), class_="note") for note in run.notes[:50])


def figures(run: Told) -> str:
    """The figures beside what they are held against."""
    if not run.figures:
        return element("p", "None were taken.", class_="quiet")
    columns = list(dict.fromkeys(title for known in run.beside.values() for title in known))
    several = len(run.seeds) > 1
    rows, values = [], []
    for figure, of_seeds in run.figures.items():
        words, known = run.about(figure), [v for v in of_seeds if v is not None]
        if not known:
            continue
        mean = sum(known) / len(known)
        spread = float(np.std(known, ddof=1)) if several and len(known) > 1 else None
        value = words.with_spread(mean, spread)
        if (step := run.taken.get(figure, run.step)) < run.step:
            value += f" at step {step:,}"
        held = [run.beside.get(figure, {}).get(title) for title in columns]
        better = f"{words.better} is better" if words.better else ""
        rows.append(
            [text(words.title), text(value), *(text(words.written(h)) for h in held), better]
        )
        values.append([words.title, mean, *held, better])
    head = ["figure", f"mean ± std of {len(run.seeds)} seeds" if several else "this run"]
    made = table([*head, *columns, "better"], rows, caption="Figures", values=values)
    if not run.evaluated:
        made += element(
            "p",
            "The figures are those of training; <code>jaxgen evaluate</code> measures all of them, "
            "beside their floors and baselines.",
            class_="quiet",
        )
    elif columns:
        meaning = {
            "floor": "floor: real images against other real images, what perfect samples would get",
            "same size": "same size: as many samples as the floor has, to be held against it",
            "nearest neighbour": "nearest neighbour: captions copied from the training images",
        }
        told = "; ".join(meaning[column] for column in columns if column in meaning)
        made += element("p", text(f"{told}."), class_="quiet")
    return made


def charts(panels: Sequence[Mapping[str, Any]]) -> str:
    """The curves: drawn by the script, or as SVG where none runs; and in words."""
    if not panels:
        return element("p", "There are no metrics yet.", class_="quiet")
    controls = "".join(
        [
            element("label", "From step " + element("input", type="number", id="from", min=0)),
            element("label", "to " + element("input", type="number", id="to", min=0)),
            element("button", "Zoom in", type="button", id="in"),
            element("button", "Zoom out", type="button", id="out"),
            element("button", "All steps", type="button", id="all"),
            element("label", element("input", type="checkbox", id="log") + " Logarithmic"),
            element(
                "label", element("input", type="checkbox", id="raw", checked=True) + " Every step"
            ),
        ]
    )
    top = element("div", controls, class_="controls js", role="group", aria_label="Charts")
    top += element(
        "p",
        "Drag across a chart to zoom, double-click to see all. Boxes under it hide curves.",
        class_="quiet js",
    )
    drawn = ""
    for place, panel in enumerate(panels):
        title = element("h3", text(panel["title"]), id=f"chart-{place}-title")
        chart = element("div", "", class_="chart", data_panel=place)
        still = element("noscript", curves.svg(panel))
        said = more("In words", curves.in_words(panel))
        drawn += element("div", title + chart + still + said, class_="panel")
    return top + element("div", drawn, class_="panels")


def samples(run: Told, room: int, data: Data) -> str:
    """What the run made as it learnt."""
    if run.captions:
        return cards(run, data)
    frames, problems = pictures.of_run(run.frames, room)
    told = "".join(element("p", text(problem), class_="note") for problem in problems)
    if not frames:
        return told + element("p", "There are no pictures yet.", class_="quiet")
    step, address, (width, height) = frames[-1]
    place = data.add(
        "sliders", [{"step": s, "src": a if a is not address else None} for s, a, _ in frames]
    )
    image = element(
        "img",
        src=address,
        alt=f"Samples of {run.name} after {step:,} steps",
        width=width,
        height=height,
        class_="pixels",
    )
    return told + element(
        "figure",
        slider([s for s, _, _ in frames], "Step") + image,
        class_="slider",
        data_slider=place,
    )


def configuration(run: Told) -> str:
    """The settings that are not the experiment's own, then every one."""
    rows, changed = [], []
    for setting, value in run.config.items():
        was = run.default.get(setting)
        row = [element("code", text(setting)), text(shown(value))]
        rows.append(row)
        if was != value:
            changed.append([*row, text("none" if was is None else shown(was))])
    head = ["setting", "value", "the experiment's own"]
    if changed:
        made = table(head, changed, caption="Changed settings")
    else:
        made = element("p", "All settings are the experiment's own.", class_="quiet")
    whole = table(head[:2], rows, caption="Configuration")
    return made + more(f"All {len(rows)} settings", whole)


def _facts(run: Told) -> str:
    rows = [[text(fact), element("code", text(value))] for fact, value in run.facts]
    return table(["", ""], rows, caption="What was run")
