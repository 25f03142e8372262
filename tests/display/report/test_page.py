"""The page as text: all is inside, within bounds, and no text of a run is anything but text."""

import base64
import dataclasses
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from jaxgen.display import plots
from jaxgen.display.report.page import page
from jaxgen.display.report.quoting import bibtex
from jaxgen.training import told_run
from tests.display.report.conftest import HOSTILE


class Parsed(HTMLParser):
    """A page's elements, and the texts inside of them."""

    def __init__(self, content):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self._open = [], {}, []
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "input", "meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def told(folder, *names, **options):
    return [told_run.told(told_run.read(folder / name), **options) for name in names]


@pytest.fixture(scope="module")
def single(folder):
    return page(told(folder, "slow-0"))


@pytest.fixture(scope="module")
def several(folder):
    return page(told(folder, "slow-0", "slow-1", "fast-0", "fast-1", "three", "lost"))


def test_everything_is_inside_and_let_in_by_its_hash(single):
    parsed = Parsed(single)
    policy = next(m["content"] for m in parsed.all("meta") if "http-equiv" in m)
    for tag in ("script", "style"):
        for content in parsed.texts[tag]:
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy or content.startswith("{")
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    places = [a.get("src") or a.get("href") for _, a in parsed.elements]
    assert all(place.startswith(("data:", "#")) for place in places if place)
    assert not [a for _, a in parsed.elements if "style" in a or any(k[:2] == "on" for k in a)]


def test_data_cannot_end_their_script(several):
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', several)
    assert "<" not in data
    assert json.loads(data)["panels"]


def test_hostile_text_stays_text(folder):
    runs = [
        dataclasses.replace(run, name=f"{HOSTILE} {run.name}\0\ud800")
        for run in told(folder, "slow-1", "lost", "words", "more")
    ]
    for content in (page(runs), *(page([run]) for run in runs)):
        parsed = Parsed(content)
        assert len(parsed.all("script")) == 3
        assert HOSTILE in " ".join(part for t in ("bdi", "title") for part in parsed.texts[t])


def test_figures_stand_beside_their_floors(single):
    row = re.search(r"<tr><th[^>]*>FID</th>(.*?)</tr>", single)[1]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert cells == ["5.300", "5.900", "0.130", "lower is better"]


def test_a_chart_is_told_in_words_and_drawn_without_scripts(single):
    parsed = Parsed(single)
    assert len(parsed.all("svg")) == len(parsed.all("polyline")) - 1 == 2  # d and g share one
    assert "lowest" in parsed.texts["th"]
    assert re.search(r"<td>d_loss</td><td>400</td><td>1\.\d+ at step 400</td>", single)


def test_pictures_have_words_and_fields_have_labels(several):
    parsed = Parsed(several)
    assert all(image["alt"] for image in parsed.all("img"))
    fields = len(parsed.all("input")) + len(parsed.all("select"))
    assert several.count("<label") >= fields > 8
    assert parsed.all("html") == [{"lang": "en"}]


def test_headings_descend_by_one(several):
    levels = [int(level) for level in re.findall(r"<h(\d)", several)]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_seeds_are_one_curve_with_a_band(several):
    (data,) = re.findall(r'id="data">(.*?)</script>', several)
    panel = next(p for p in json.loads(data)["panels"] if p["title"] == "FID")
    assert [(c["label"], c["seeds"], "low" in c) for c in panel["curves"]] == [
        ("A", 2, True),
        ("B", 3, True),
        ("C", 2, True),
        ("D", 1, False),
    ]


def test_only_differences_of_configuration_are_told_first(several):
    part = several.split('id="configuration"')[1].split("</section>")[0]
    assert re.findall(r"<code>(.*?)</code>", part) == ["noise_size", "optimizer.learning_rate"]


def test_captions_of_the_same_pictures_are_side_by_side(folder):
    content = page(told(folder, "words", "more"))
    part = content.split('id="beside"')[1].split("</section>")[0]
    assert part.count("two blue 7") == 4
    assert part.count("<tr>") == 5


def test_a_run_that_ended_badly_says_so(folder):
    content = page(told(folder, "lost"))
    assert "Diverged at 400 of 400 steps" in content
    assert "Training ended: d_loss is nan" in content


def test_a_damaged_picture_is_left_out_with_a_word(folder):
    (run,) = told(folder, "slow-0")
    step, path = run.frames[-1]
    broken = path.parent.parent / "broken.png"
    broken.write_bytes(path.read_bytes()[:300])
    content = page([dataclasses.replace(run, frames=[*run.frames[:-1], (step, broken)])])
    assert "the picture of step 400 cannot be read" in content
    broken.unlink()


@pytest.mark.parametrize("kind", ["large", "many"])
def test_ten_runs_stay_small(folder, kind, tmp_path):
    """Of large coloured pictures, or with 100,000 steps of several metrics."""
    chance = np.random.default_rng(0)
    (run,) = told(folder, "slow-0")
    if kind == "large":
        picture = chance.integers(0, 255, (400, 400, 3), np.uint8)
        plots.save_image(tmp_path / "large.png", picture)
        run = dataclasses.replace(run, frames=[(s, tmp_path / "large.png") for s in range(40)])
    else:
        steps = np.arange(1, 100_001)
        curves = {f"metric_{i}": [(steps, chance.normal(size=100_000))] for i in range(8)}
        curves["metric_0"][0][1][77_000] = 12345.0
        run = dataclasses.replace(run, curves=curves)
    runs = [
        dataclasses.replace(run, name=f"run {i}", config=run.config | {"noise_size": i})
        for i in range(10)
    ]
    content = page(runs)
    assert len(content.encode()) < 3_000_000
    assert kind == "large" or "12345.0" in content


def test_a_run_of_an_older_version_is_told():
    content = page(told(Path(__file__).parents[2] / "runs_0_1", "gan"))
    assert "did not keep its alarms" in content
    assert "not recorded by the version that wrote the run" in content


def test_bibtex_has_no_braces_of_a_run(folder):
    (run,) = told(folder, "slow-0")
    entry = bibtex([dataclasses.replace(run, version="1}\\input{x", commit="c" * 40)])
    assert entry.count("{") == entry.count("}")
    assert "\\" not in entry
    assert f"commit {'c' * 40}" in entry


def test_a_figure_that_was_taken_earlier_says_so(folder):
    (run,) = told(folder, "slow-1")
    content = page([dataclasses.replace(run, step=500, taken={"fid": 400, "d_loss": 500})])
    row = re.search(r"<tr><th[^>]*>FID</th>(.*?)</tr>", content)[1]
    assert " at step 400</td>" in row
    row = re.search(r"<tr><th[^>]*>d loss</th>(.*?)</tr>", content)[1]
    assert "at step" not in row
