"""Progress in a log file: plain lines, none of a terminal's control characters."""

import re

from jaxgen.display.progress import Progress, bar


def test_lines_in_a_log_file(capsys):
    progress = Progress(total=100, start=10)
    progress.update(60, {"d_loss": 1.25, "g_loss": 0.7})
    progress.say("warning: something")
    progress.close()
    told = capsys.readouterr().err
    assert re.fullmatch(
        r"step 60/100  d_loss 1\.25 g_loss 0\.7  \d+\.\d steps/s\nwarning: something\n", told
    )


def test_a_bar_in_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("jaxgen.display.progress._interactive", lambda: True)
    progress = Progress(total=100)
    progress.update(60, {"d_loss": 1.25})
    progress.say("warning: something")
    progress.close()
    told = capsys.readouterr().err
    assert "60/100" in told
    assert "d_loss 1.25" in told
    assert "warning: something\n" in told


def test_a_bar_in_a_log_file_moves_seldom(capsys):
    for _ in bar(range(10_000), desc="making", unit="scene"):
        pass
    assert capsys.readouterr().err.count("\r") <= 3
