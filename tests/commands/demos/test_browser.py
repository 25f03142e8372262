"""The pages in a real browser, where there are Chromium and Gradio: what a person would do."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands.demos import models
from tests.display.report import browser

pytestmark = pytest.mark.skipif(
    not browser.CHROMIUM or importlib.util.find_spec("gradio") is None,
    reason="Chromium or gradio is not installed",
)
ROOT = Path(__file__).parents[3]
PATIENCE = 60


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The process that serves, and the address of each page."""
    folder = tmp_path_factory.mktemp("served")
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands.demos.served", str(folder)],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )
    until, found = time.monotonic() + PATIENCE, {}
    while len(found) < 2 and process.poll() is None and time.monotonic() < until:
        found = dict(re.findall(r"^(\w+): (http://\S+)", log.read_text(), re.MULTILINE))
        time.sleep(0.1)
    assert len(found) == 2, log.read_text()
    yield process, found, log
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    opened = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def wait(chromium, script, unlike=None):
    """What a script gives once it gives something, and something else than before."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        value = chromium.run(script)
        if value and value != unlike:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{script} stays {value!r}: {chromium.run('document.body.innerText')}")


def click(chromium, words, kind="button"):
    """A button or a tab that is seen."""
    button = f"""[...document.querySelectorAll('{kind}')].find(
        (one) => one.offsetParent && one.textContent.trim() === {json.dumps(words)})"""
    wait(chromium, f"!!{button}")
    chromium.run(f"{button}.click()")


def fill(chromium, label, value):
    """A number, typed into the field of a label."""
    field = f"""[...document.querySelectorAll('input[type=number]')].find(
        (one) => one.closest('.block')?.textContent.includes({json.dumps(label)}))"""
    wait(chromium, f"!!{field}")
    chromium.run(f"""(() => {{
        const field = {field};
        field.value = {json.dumps(value)};
        for (const kind of ['input', 'change', 'blur']) field.dispatchEvent(new Event(kind));
    }})()""")


def everything_was_here(chromium, address):
    asked = [one for one in chromium.requests if not one.startswith(("data:", "blob:"))]
    assert [one for one in asked if not one.startswith(address)] == []
    assert len(asked) > 3
    width = "document.documentElement.scrollWidth <= window.innerWidth"
    assert chromium.run(width)


def test_samples_change_with_the_controls_and_walk(served, chromium):
    address = served[1]["gan"]
    chromium.open(address)
    grid = "document.querySelector('.jg img.grid')?.src"
    first = wait(chromium, grid)
    click(chromium, "Another seed")
    second = wait(chromium, grid, unlike=first)
    alt = "document.querySelector('.jg img.grid').alt"
    assert chromium.run(alt) == "100 samples of seed 1, classes 0 to 9"
    fill(chromium, "Seed", 0)
    assert wait(chromium, grid, unlike=second) == first  # the same seed, the same pictures
    fill(chromium, "Truncation", 0.5)
    wait(chromium, grid, unlike=first)
    fill(chromium, "Seed", -7)
    told = wait(chromium, "document.querySelector('[role=alert]')?.textContent")
    assert "seed must be" in told and "-7" in told
    fill(chromium, "Seed", 5)
    click(chromium, "A walk", "[role=tab]")
    click(chromium, "Walk")
    moving = wait(chromium, "document.querySelector('.jg img.moving')?.src")
    assert moving.startswith("data:image/gif;base64,")
    everything_was_here(chromium, address)


def test_captions_appear_and_a_broken_upload_gets_a_sentence(served, chromium, tmp_path):
    address = served[1]["captioner"]
    chromium.open(address, width=390, height=844, mobile=True)
    sentence = "document.querySelector('.jg .sentence')?.textContent"
    wait(chromium, sentence)
    seen = "document.querySelector('.jg img.seen')?.src"
    first = wait(chromium, seen)
    chromium.run("document.querySelectorAll('.jg-pictures .grid-container button')[1].click()")
    wait(chromium, seen, unlike=first)
    assert "The data say: two blue <b>7</b>" in chromium.run(
        "document.querySelector('.jg').textContent"
    )

    def send(path):
        page = chromium.ask("DOM.getDocument", depth=-1)["root"]["nodeId"]
        wait(chromium, "!!document.querySelector('input[type=file]')")
        page = chromium.ask("DOM.getDocument", depth=-1)["root"]["nodeId"]
        field = chromium.ask("DOM.querySelector", nodeId=page, selector="input[type=file]")
        chromium.ask("DOM.setFileInputFiles", files=[str(path)], nodeId=field["nodeId"])

    told = None
    for name, words in models.broken_files(tmp_path).items():
        send(tmp_path / name)
        alert = "document.querySelector('[role=alert]')?.textContent"
        told = wait(chromium, alert, unlike=told)
        assert words in told
        remove = "button[aria-label='Remove Image'], button[aria-label='Clear']"
        wait(chromium, f"!!document.querySelector({json.dumps(remove)})")
        chromium.run(f"document.querySelector({json.dumps(remove)}).click()")
        wait(chromium, sentence)  # of the picture that was chosen before
        told = None
    send(tmp_path / "whole.jpg")
    wait(chromium, "!document.querySelector('.jg').textContent.includes('The data say')")
    wait(chromium, sentence)
    choose = "[...document.querySelectorAll('input[type=radio]')][{}].click()"
    chromium.run(choose.format(2))
    answer = "document.querySelector('.jg').textContent"
    before = chromium.run(answer)
    fill(chromium, "Temperature", 2)
    for seed in range(1, 20):
        fill(chromium, "Seed", seed)
        time.sleep(0.3)
        if chromium.run(answer) != before:
            break
    else:
        raise AssertionError("no seed changes the words")
    everything_was_here(chromium, address)


def test_ctrl_c_ends_it_quietly(served):
    process, _, log = served
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 0
    assert log.read_text().endswith("ended\n")
    assert "Traceback" not in log.read_text()
