"""The pages of `jaxgen demo`, in Gradio: controls, and which of them asks the players for what."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgen.captioning.one_caption import MOST_BEAM, Way
from jaxgen.commands.demos import markup
from jaxgen.commands.demos.captions import CaptionPlayer
from jaxgen.commands.demos.samples import Drawing, SamplePlayer, Walking
from jaxgen.errors import JaxgenError
from jaxgen.settings import shortened

_KEPT = 3600  # seconds that uploaded files stay
_GREEDY, _BEAM, _DRAWN = "the most probable", "beam search", "drawn at random"


def page(gradio: Any, player: SamplePlayer | CaptionPlayer, title: str) -> Any:
    """The page of a player.

    Args:
        gradio: the library.
        player: what it plays with.
        title: of the page.

    Returns:
        A `gradio.Blocks`.
    """
    with gradio.Blocks(title=title, analytics_enabled=False, delete_cache=(_KEPT, _KEPT)) as made:
        gradio.Markdown(f"# {_escaped(title)}")
        with gradio.Row():
            if isinstance(player, SamplePlayer):
                _samples(gradio, player, made)
            else:
                _captions(gradio, player, made)
    made.queue(max_size=32, default_concurrency_limit=1, api_open=False)
    return made


def told(make: Callable[..., str]) -> Callable[..., str]:
    """A function of a page whose errors become sentences on it."""

    def made(*values: Any) -> str:
        try:
            return make(*values)
        except JaxgenError as error:
            return markup.problem(str(error))
        except Exception as error:  # a defect, or memory: the page goes on
            traceback.print_exc()
            first = shortened((str(error).splitlines() or [""])[0], 200)
            return markup.problem(f"This failed: {first or type(error).__name__}")

    return made


def _samples(gradio: Any, player: SamplePlayer, page: Any) -> None:
    with gradio.Column(scale=1, min_width=280):
        seed = gradio.Number(0, label="Seed", precision=0)
        another = gradio.Button("Another seed")
        kind = gradio.Dropdown(
            [("all in turn", -1), *((str(label), label) for label in range(player.classes))],
            value=-1,
            label="Class",
            visible=player.classes > 0,
        )
        widest = player.widest or 1.0
        truncation = gradio.Slider(
            widest / 20,
            widest,
            value=widest,
            step=widest / 20,
            label="Truncation",
            info="The largest number in the noise: to the left samples are more typical and less "
            "varied; at the right end nothing is cut.",
            visible=player.widest is not None,
        )
    with gradio.Column(scale=2, min_width=320):
        with gradio.Tab("Samples"):
            most = player.most_images
            at_first = min(most, 100 if player.classes else 64)
            n = gradio.Slider(1, most, value=at_first, step=1, label="How many")
            shown = gradio.HTML(label="Samples")
        with gradio.Tab("A walk", visible=player.can_walk):
            with gradio.Row():
                stops = gradio.Slider(2, 8, value=4, step=1, label="Random inputs on the way")
                steps = gradio.Slider(2, 24, value=12, step=1, label="Steps from one to the next")
            go = gradio.Button("Walk", variant="primary")
            walked = gradio.HTML(label="A walk")

    def drawing(seed: Any, label: Any, at: Any, n: Any = 1) -> Drawing:
        label = None if label is None or label < 0 else label
        return Drawing(seed=seed, label=label, truncation=player.truncation(at), n=n)

    def samples(seed: Any, label: Any, at: Any, n: Any) -> str:
        return player.samples(drawing(seed, label, at, n))

    def walk(seed: Any, label: Any, at: Any, stops: Any, steps: Any) -> str:
        return player.walk(drawing(seed, label, at), Walking(stops, steps))

    asked = [seed, kind, truncation, n]
    events = [page.load, *(control.change for control in asked)]
    _on(gradio, events, samples, asked, shown)
    _on(gradio, [go.click], walk, [seed, kind, truncation, stops, steps], walked)
    another.click(lambda seed: (int(seed or 0) + 1) % 2**32, seed, seed, api_visibility="private")


def _captions(gradio: Any, player: CaptionPlayer, page: Any) -> None:
    pictures = [one.picture for one in player.pictures]
    with gradio.Column(scale=1, min_width=280):
        file = gradio.Image(
            label="A picture of your own",
            sources=["upload", "clipboard"],
            type="filepath",
            height=220,
            visible=player.takes_photographs,
        )
        # The file as it came, since we read files more carefully. Not by a class of our own: Gradio
        # writes a file beside the source of such a class.
        file.preprocess = lambda payload: payload and payload.path
        gallery = gradio.Gallery(
            pictures,
            label="Pictures that the model was checked on",
            columns=4,
            height="auto",
            allow_preview=False,
            buttons=[],
            elem_classes="jg-pictures",
            visible=bool(pictures),
        )
        kind = gradio.Radio([_GREEDY, _BEAM, _DRAWN], value=_GREEDY, label="Words")
        beam = gradio.Slider(2, MOST_BEAM, value=3, step=1, label="Beams", visible=False)
        temperature = gradio.Slider(0.1, 2, value=1, step=0.1, label="Temperature", visible=False)
        top_p = gradio.Slider(
            0.05,
            1,
            value=1,
            step=0.05,
            label="Top-p",
            info="Draw from the most probable words that together reach this share.",
            visible=False,
        )
        seed = gradio.Number(0, label="Seed", precision=0, visible=False)
    with gradio.Column(scale=2, min_width=320):
        shown = gradio.HTML(label="Caption")
    chosen = gradio.State(0 if pictures else None)

    def caption(
        number: Any, file: Any, kind: Any, beam: Any, temperature: Any, top_p: Any, seed: Any
    ) -> str:
        way = {
            _BEAM: lambda: Way(beam=beam),
            _DRAWN: lambda: Way(temperature=temperature, top_p=top_p, seed=seed),
        }.get(kind, Way)()
        if file:
            return player.uploaded(Path(file).read_bytes(), way)  # bounded by `launch`
        if number is None:
            return markup.answer(markup.paragraph("Choose a picture, or send one.", "small"))
        return player.bundled(number, way)

    def choose(event: Any) -> tuple[Any, None]:
        return event.index, None

    choose.__annotations__["event"] = gradio.SelectData
    asked = [chosen, file, kind, beam, temperature, top_p, seed]
    controls = [kind, beam, temperature, top_p, seed]
    gallery.select(choose, None, [chosen, file], api_visibility="private")
    kind.change(
        lambda kind: [
            gradio.update(visible=kind == one) for one in (_BEAM, _DRAWN, _DRAWN, _DRAWN)
        ],
        kind,
        [beam, temperature, top_p, seed],
        api_visibility="private",
    )
    events = [page.load, file.change, chosen.change, *(control.change for control in controls)]
    _on(gradio, events, caption, asked, shown)


def _on(gradio: Any, events: Any, make: Callable[..., str], asked: Any, shown: Any) -> None:
    """Of what is asked while an answer is made, only the last is answered."""
    gradio.on(
        events,
        told(make),
        asked,
        shown,
        trigger_mode="always_last",
        show_progress="minimal",
        api_visibility="private",
    )


def _escaped(title: str) -> str:
    """Markdown that shows a title letter by letter."""
    return "".join(f"&#{ord(letter)};" if not letter.isalnum() else letter for letter in title)
