"""Pages and their server with something that stands for Gradio: events, errors, privacy."""

import os
import socket
import sys
import types

import pytest

from jaxgen.captioning.one_caption import Way
from jaxgen.commands import demo, guard
from jaxgen.commands.demos import pages, serving
from jaxgen.commands.demos.samples import SamplePlayer
from jaxgen.commands.run_argument import RunArgument
from jaxgen.errors import JaxgenError
from tests.commands.demos import models


class Part:
    """Any component: what it was made with, and its events by name."""

    def __init__(self, kind, *values, **options):
        self.kind, self.values, self.options = kind, values, options
        self.value = options.get("value", values[0] if values else None)
        self.launched = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def __getattr__(self, name):
        return Part(f"{self.kind}.{name}")

    def __call__(self, *arguments, **options):
        return None


class Blocks(Part):
    share_url, local_url, closed = None, "http://127.0.0.1:7860/", False

    def launch(self, **options):
        self.launched = options

    def close(self, **options):
        self.closed = True


class Gradio(types.ModuleType):
    """A module whose components are `Part`s, and which notes what `on` is told."""

    SelectData = object
    themes = types.SimpleNamespace(Default=lambda: Part("theme"))

    def __init__(self):
        super().__init__("gradio")
        self.parts, self.events = [], []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def make(*values, **options):
            self.parts.append((Blocks if name == "Blocks" else Part)(name, *values, **options))
            return self.parts[-1]

        return make

    def on(self, events, make, asked, shown, **options):
        self.events.append((make, asked, options))


@pytest.fixture
def gradio(monkeypatch):
    made = Gradio()
    monkeypatch.setitem(sys.modules, "gradio", made)
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")  # so that it is put back
    return made


def by_label(gradio):
    return {part.options.get("label"): part for part in gradio.parts}


def test_without_gradio_one_sentence_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert guard.status_of(lambda: demo.main(["nowhere"])) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: a demo needs gradio")
    assert told.endswith("pip install 'jaxgen[demo]'\n")
    assert told.count("\n") == 1


def test_a_port_in_use_is_one_sentence_before_a_model_is_opened(gradio, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert guard.status_of(lambda: demo.main(["nowhere", "--port", str(port)])) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: --port {port}: something else is served there")
    assert told.count("\n") == 1


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7"])
def test_an_address_that_is_not_ours_is_one_sentence(host):
    with pytest.raises(JaxgenError, match=f"host {host}: "):
        serving.refuse_taken(host, 1)


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("localhost", True), ("[::1]", True), ("0.0.0.0", False), ("x", False)],
)
def test_loopback_is_known(host, alone):
    assert serving.is_loopback(host) == alone


def test_the_page_of_a_gan_asks_its_player(gradio):
    player = SamplePlayer(models.gan())
    pages.page(gradio, player, "runs/<a>")
    (samples, asked, _), (walk, of_walk, _) = gradio.events
    labels = [part.options.get("label") for part in asked]
    assert [part.value for part in asked] == [0, -1, 1.0, 100], labels
    first = samples(0, -1, 1.0, 10)
    assert "10 samples of seed 0, classes 0 to 9" in first
    assert samples(1, -1, 1.0, 10) != first != samples(0, -1, 0.5, 10)
    assert "class 3" in samples(0, 3, 1.0, 10)
    assert 'role="alert">seed must be a whole number' in samples(None, -1, 1.0, 10)
    assert "image/gif" in walk(*[0, 3, 1.0, 2, 2][: len(of_walk)])
    choices = by_label(gradio)["Class"].values[0]
    assert choices[:2] == [("all in turn", -1), ("0", 0)]
    title = next(part for part in gradio.parts if part.kind == "Markdown").values[0]
    assert "<" not in title


def test_the_page_of_a_captioner_asks_its_player(gradio, tmp_path):
    def uploaded(contents, way):
        raise JaxgenError(f"no <picture>: {contents.decode()}")

    player = types.SimpleNamespace(
        pictures=[types.SimpleNamespace(picture="a picture")],
        takes_photographs=True,
        bundled=lambda number, way: (number, way),
        uploaded=uploaded,
    )
    pages.page(gradio, player, "a run")
    [(caption, asked, _)] = gradio.events
    number, _, kind, *_ = asked
    assert number.value == 0
    greedy, beam, drawn = kind.values[0]
    assert caption(0, None, greedy, 3, 1.5, 0.9, 7) == (0, Way())
    assert caption(0, None, beam, 3, 1.5, 0.9, 7) == (0, Way(beam=3))
    assert caption(0, None, drawn, 3, 1.5, 0.9, 7) == (0, Way(temperature=1.5, top_p=0.9, seed=7))
    file = tmp_path / "a.png"
    file.write_text("text")
    told = caption(0, str(file), greedy, 3, 1.5, 0.9, 7)
    assert 'role="alert">no &lt;picture&gt;: text' in told
    assert "Choose a picture" in caption(None, None, greedy, 3, 1.0, 1.0, 0)
    payload = types.SimpleNamespace(path="a.png")
    assert by_label(gradio)["A picture of your own"].preprocess(payload) == "a.png"


def test_a_defect_becomes_a_sentence_on_the_page_and_a_traceback_in_the_terminal(capsys):
    def broken(*values):
        raise RuntimeError("<b>\nmore")

    told = pages.told(broken)(1)
    assert "This failed: &lt;b&gt;" in told and "more" not in told
    assert "Traceback" in capsys.readouterr().err


def test_pages_are_private(gradio):
    page = serving.page_of(SamplePlayer(models.gan()), "a")
    assert page.options["analytics_enabled"] is False
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    address = serving.launch(page, "127.0.0.1", None, share=False)
    assert address == "http://127.0.0.1:7860/"
    assert page.launched["server_name"] == "127.0.0.1"
    assert page.launched["share"] is False  # in Colab too, where Gradio would make it True
    assert page.launched["footer_links"] == []
    assert "127.0.0.1" in os.environ["no_proxy"]
    assert all(options["api_visibility"] == "private" for _, _, options in gradio.events)


def test_a_public_address_that_could_not_be_made_is_told(gradio):
    page = serving.page_of(SamplePlayer(models.gan()), "a")
    with pytest.raises(JaxgenError, match="share: Gradio could not make a public address"):
        serving.launch(page, "127.0.0.1", None, share=True)
    assert page.closed
    page.share_url = "https://a.gradio.live"
    assert serving.launch(page, "127.0.0.1", None, share=True) == "https://a.gradio.live"


def test_the_command_serves_until_it_is_told_to_end(gradio, monkeypatch, capsys):
    monkeypatch.setattr(RunArgument, "opened", lambda self: models.gan())
    ticks = []

    def tick(seconds):
        ticks.append(seconds)
        if len(ticks) == 2:
            os.kill(os.getpid(), 15)

    monkeypatch.setattr(demo.time, "sleep", tick)
    assert demo.main(["runs/a", "--host", "0.0.0.0"]) == 0
    told = capsys.readouterr()
    assert told.out == "runs/a: http://127.0.0.1:7860/ (Ctrl-C ends it)\n"
    assert "note: --host 0.0.0.0: whoever reaches this machine can use the page" in told.err
    page = next(part for part in gradio.parts if part.kind == "Blocks")
    assert page.closed
    assert page.launched["prevent_thread_lock"]
    assert not os.path.exists(os.environ["GRADIO_TEMP_DIR"])


def test_in_a_notebook_a_model_is_shown(gradio):
    page = demo.demo(models.gan(), port=None)
    assert "prevent_thread_lock" not in page.launched  # Gradio knows notebooks


def test_a_model_that_nothing_can_be_shown_of_is_refused():
    with pytest.raises(JaxgenError, match="runs/x holds a kind of model that draws no samples"):
        serving.player_of(object(), "runs/x")
    with pytest.raises(JaxgenError, match="weights: runs/x holds no captioner"):
        serving.player_of(models.gan(), "runs/x", weights="a")
