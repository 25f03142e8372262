"""Seeds of one configuration together, the best first, and what tells groups apart."""

import csv
import io
from pathlib import Path

import pytest

from jaxgen.display.report.comparison import Comparison
from jaxgen.display.report.told import FigureWords, Told

WORDS = {"fid": FigureWords("FID", "lower", "{:.3f}"), "true": FigureWords("true", "higher")}


def run(name, seed=0, fid=None, true=None, rate=1e-3, seeds=None, free=frozenset(), **config):
    figures = {"fid": fid, "true": true}
    known = {k: v if isinstance(v, list) else [v] for k, v in figures.items() if v is not None}
    return Told(
        name=name,
        state="finished",
        step=9,
        steps=9,
        seeds=seeds or (seed,),
        config={"seed": seed, "optimizer.rate": rate, **config},
        free=free,
        figures=known,
        words={k: words for k, words in WORDS.items() if k in known},
        frames=[(9, Path("none.png"))],
    )


@pytest.fixture
def comparison():
    return Comparison(
        [
            run("slow-0", 0, fid=9.0),
            run("fast-0", 0, fid=5.0, rate=1e-2),
            run("slow-1", 1, fid=8.0),
            run("fast-1", 1, fid=6.0, rate=1e-2),
            run("three", 2, fid=[1.0, 2.0, 30.0], seeds=(2, 3, 4), replicas=3, rate=1e-4),
        ]
    )


def test_groups_are_seeds_of_one_configuration_best_first(comparison):
    groups = [(g.label, [r.name for r in g.runs], g.seeds) for g in comparison.groups]
    assert groups == [
        ("A", ["fast-0", "fast-1"], 2),
        ("B", ["slow-0", "slow-1"], 2),
        ("C", ["three"], 3),
    ]
    assert comparison.groups[0].written("fid", WORDS["fid"]) == "5.500 ± 0.707"
    assert comparison.best("fid") is comparison.groups[0]


def test_p_is_of_the_rank_test_against_the_best(comparison):
    best, other, third = comparison.groups
    assert comparison.differences(best, "fid") is None
    assert comparison.differences(other, "fid") == pytest.approx(1 / 3)
    assert comparison.differences(third, "fid") == pytest.approx(0.8)


def test_a_single_seed_is_not_tested():
    comparison = Comparison([run("a", fid=1.0), run("b", fid=2.0, rate=1)])
    assert comparison.differences(comparison.groups[1], "fid") is None


def test_only_settings_that_differ_are_told(comparison):
    assert comparison.changed == ["optimizer.rate"]
    assert comparison.setting(comparison.groups[1], "optimizer.rate") == "0.001"


def test_what_does_not_change_what_is_learnt_makes_no_group():
    free = frozenset({"log_every"})
    runs = [
        run("a", 0, fid=1.0, log_every=1, free=free),
        run("b", 1, fid=2.0, log_every=9, free=free),
    ]
    comparison = Comparison(runs)
    assert len(comparison.groups) == 1
    assert comparison.changed == ["log_every"]
    assert comparison.setting(comparison.groups[0], "log_every") == "1, 9"


def test_where_higher_is_better_the_highest_is_best():
    comparison = Comparison([run("a", true=0.5), run("b", true=0.7, rate=1), run("c", rate=2)])
    assert [g.runs[0].name for g in comparison.groups] == ["b", "a", "c"]
    assert comparison.best("true").runs[0].name == "b"


def test_another_figure_may_be_compared_by():
    runs = [run("a", fid=1.0, true=0.1), run("b", fid=2.0, true=0.9, rate=1)]
    assert Comparison(runs).groups[0].runs[0].name == "a"
    assert Comparison(runs, "true").groups[0].runs[0].name == "b"


def test_nothing_is_best_among_equals_or_without_a_better():
    assert Comparison([run("a", fid=1.0), run("b", fid=1.0, rate=1)]).best("fid") is None
    assert Comparison([run("a"), run("b", rate=1)]).best("loss") is None


def test_csv_has_a_row_for_each_seed_and_no_formula(comparison):
    rows = list(csv.DictReader(io.StringIO(comparison.csv())))
    assert len(rows) == 7
    assert rows[0]["run"], rows[0]["fid"] == ("fast-0", "5")
    assert [row["seed"] for row in rows if row["run"] == "three"] == ["2", "3", "4"]
    hostile = Comparison([run('=HYPERLINK("x")', fid=-1.0)]).csv()
    row = next(csv.DictReader(io.StringIO(hostile)))
    assert row["run"] == '\'=HYPERLINK("x")'
    assert row["fid"] == "-1"


def test_json_has_everything(comparison):
    found = comparison.as_json()
    assert found["main"] == "fid"
    assert found["best"] == {"fid": "A"}
    assert found["groups"][1]["figures"]["fid"]["values"] == [9.0, 8.0]
    assert found["groups"][1]["settings"] == {"optimizer.rate": 0.001}
