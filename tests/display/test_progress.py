"""Progress: plain lines in a log file, lines that redraw in a terminal and in a notebook."""

import re
import sys
import types

import pytest

from jaxgen.display import live
from jaxgen.display.progress import Line, Progress, bar


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_lines_in_a_log_file(capsys, clock):
    told = Progress(total=100, start=10, examples=32, memory=lambda: ["memory 1.2 GB"])
    clock[0] += 5
    told.update(60, {"d_loss": 1.25, "g_loss": 0.7})
    told.say("warning: something")
    clock[0] += 40
    told.update(100, {"d_loss": 1})
    told.close()
    assert capsys.readouterr().err == (
        "step 60/100  d_loss 1.25 g_loss 0.7  10.0 steps/s  320.0 examples/s  0:00:04 left"
        "  memory 1.2 GB\n"
        "warning: something\n"
        "step 100/100  d_loss 1  1.0 steps/s  32.0 examples/s  memory 1.2 GB\n"
    )


def test_a_bar_in_a_log_file_is_a_line_each_ten_seconds(capsys, clock):
    with bar(total=100, desc="making scenes", unit="scene") as made:
        for _ in range(100):
            clock[0] += 0.25
            made.update()
    first, second, last = capsys.readouterr().err.splitlines()
    assert first == "making scenes  40/100 scenes  4.0 scenes/s  0:00:15 left"
    assert second.startswith("making scenes  80/100 scenes")
    assert last == "making scenes  100/100 scenes  4.0 scenes/s"


def test_what_is_quick_says_nothing(capsys, clock):
    with bar(total=100, desc="reading", unit="picture", delay=1) as done:
        clock[0] += 0.9
        done.update(100)
    assert capsys.readouterr().err == ""


def test_the_time_left_weighs_what_is_new(clock):
    line = Line("", 100, "step")
    for done, seconds in ((10, 10), (20, 10), (30, 1), (40, 1)):
        clock[0] += seconds
        line.advance(done)
    # (10 * .9^2 + 1 * .9 + 1) seconds for 10 * .9^2 + 10 * .9 + 10 steps; 60 are left.
    assert line.numbers() == ["10.0 steps/s", "0:00:22 left"]
    assert line.numbers(smoothed=True) == ["2.7 steps/s", "0:00:22 left"]
    clock[0] += 20
    assert line.numbers()[-1] == "0:00:02 left"
    line.advance(41)
    assert line.numbers()[0] == "20 s/step"


def test_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(live, "_redraws", lambda: True)
    monkeypatch.setattr(live, "_shared", [])
    monkeypatch.setenv("COLUMNS", "60")
    told = Progress(total=100)
    told.update(60, {"d_loss": 1.25, **{f"metric_{i}": 0.5 for i in range(40)}})
    told.say("warning: [bold]something[/bold]")
    print("by others", file=sys.stderr)
    with bar(total=2, desc="within", unit="image") as within:
        within.update(2)
    told.close()
    print("after", file=sys.stderr)
    raw = capsys.readouterr().err
    assert "\x1b[?25l" not in raw  # the cursor stays where a killed process leaves it
    lines = [line.strip() for line in re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", raw).splitlines()]
    assert {"warning: [bold]something[/bold]", "by others"} <= set(lines)
    assert any("60/100 steps  60 %" in line for line in lines)
    assert any(line.startswith("within") and "2/2 images  100 %" in line for line in lines)
    assert lines[-1] == "after"
    assert max(map(len, lines)) <= 60
    assert lines[-2].endswith("…")  # rather than to fill the screen


class _Handle:
    def __init__(self, bundle):
        self.bundles = [bundle]

    def update(self, bundle, **_):
        self.bundles.append(bundle)


def test_in_a_notebook(monkeypatch, clock, capsys):
    handles = []

    def display(bundle, **options):
        assert options == {"raw": True, "metadata": live.METADATA, "display_id": True}
        handles.append(_Handle(bundle))
        return handles[-1]

    shell = types.SimpleNamespace(kernel=None)
    ipython = types.ModuleType("IPython")
    ipython.display, ipython.get_ipython = types.ModuleType("IPython.display"), lambda: shell
    ipython.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    told = Progress(total=100)
    for step in range(1, 51):
        clock[0] += 0.0625
        told.update(step, {"<loss>": step})
    told.say("warning: something")
    told.close()
    (handle,) = handles
    assert len(handle.bundles) == 8  # at first, each half a second, and at last
    newest = handle.bundles[-1]
    assert "50/100 steps  50 %  16.0 steps/s  0:00:03 left  <loss> 50" in newest["text/plain"]
    assert "&lt;loss&gt; 50" in newest["text/html"]
    assert "\x1b" not in newest["text/plain"] + newest["text/html"]
    assert capsys.readouterr().err == "warning: something\n"


@pytest.mark.parametrize(
    ("is_terminal", "environment", "expected"),
    [
        (True, {"TERM": "xterm"}, True),
        (False, {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm", "JPY_PARENT_PID": "1"}, False),
    ],
)
def test_what_can_redraw(monkeypatch, is_terminal, environment, expected):
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", types.SimpleNamespace(isatty=lambda: is_terminal))
    assert live._redraws() is expected
