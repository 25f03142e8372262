"""Memory of the compiled programs grows as it should, and the slopes are those of the figures."""

import json
import sys

import numpy as np
import pytest

from benchmarks import attention_cost


@pytest.mark.parametrize(
    ("form", "least", "most"), [("full", 3.5, 4.1), ("window", 1.8, 2.1), ("low rank", 1.5, 2.1)]
)
def test_memory_of_the_gradient_when_the_length_doubles(form, least, most):
    short, long = (
        attention_cost.compiled(form, "gradient", steps).memory_analysis().temp_size_in_bytes
        for steps in (512, 1024)
    )
    assert least < long / short < most


def test_slopes_are_fitted_to_the_longer_half():
    rows = [{"steps": 2**i, "ms": 7.0 if i < 4 else 3.0 * 2 ** (1.5 * i)} for i in range(8)]
    assert attention_cost.slope(rows[::-1], "ms") == pytest.approx(1.5)


def test_writes_figures_and_a_picture(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(attention_cost, "SHORTEST", 4)
    monkeypatch.setattr(attention_cost, "FORMS", {"full": attention_cost.FORMS["full"]})
    out = tmp_path / "cost.json"
    flags = ["--longest", "16", "--repeats", "1", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["attention_cost", *flags])
    attention_cost.main()
    rows = json.loads(out.read_text())["rows"]
    assert [(row["part"], row["steps"]) for row in rows] == [
        (part, steps) for steps in (4, 8, 16) for part in ("forward", "gradient")
    ]
    assert all(row["ms"] > 0 and 0 < row["mib"] < 1 for row in rows)
    assert out.with_suffix(".png").stat().st_size > 10_000
    assert capsys.readouterr().out.count("memory T^") == 2


def test_programs_that_take_too_much_memory_are_not_run(monkeypatch):
    monkeypatch.setattr(attention_cost, "FORMS", {"full": attention_cost.FORMS["full"]})
    monkeypatch.setattr(attention_cost, "MOST_BYTES", 0)
    assert attention_cost.measure([8], 1) == []
    assert np.isnan(attention_cost.slope([], "ms"))
