"""`jaxgen report`, `compare` and `runs`, as they are called."""

import json
import os
import shutil

import pytest

from tests.display.report import made_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        made_runs.gan(folder / f"slow-{seed}", seed=seed, steps=40, fid=9)
        made_runs.gan(folder / f"fast-{seed}", seed=seed, steps=40, fid=5, noise_size=64)
    made_runs.gan(
        folder / "deep" / "lost", steps=40, fid=30, end="d_loss is \x1b[31mnan", noise_size=32
    )
    return folder


@pytest.fixture
def jaxgen(run_module, monkeypatch, folder):
    monkeypatch.chdir(folder)
    return lambda *words: run_module("jaxgen", *words)


def test_a_report_is_one_file(jaxgen, tmp_path):
    code, said = jaxgen("report", "slow-0", "fast-0", "--out", tmp_path / "page.html")
    assert code == 0
    assert f"{tmp_path / 'page.html'}: 2 runs" in said
    assert "slow-0 is shown as training left it: slow-0 has no checkpoint yet" in said
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "nowhere is not a run: there is no such folder"),
        (["deep"], "deep is not a run: it holds no config.json; name a run in it, such"),
        (["slow-0", "./slow-0"], "slow-0 is named twice"),
        (["slow-0"] * 41, "41 runs are more than 40"),
        ([], "name the folders"),
        (["slow-0", "--out", "page.pdf"], "must end in .html or .htm"),
        (["slow-0", "--out", "none/page.html"], "there is no folder none"),
    ],
)
def test_what_cannot_be_reported_is_told_in_a_sentence(jaxgen, words, sentence):
    code, said = jaxgen("report", *words)
    assert code == 2
    assert sentence in said or not words


def test_compare_prints_the_best_first(jaxgen):
    code, said = jaxgen("compare", "slow-0", "slow-1", "fast-0", "fast-1", "deep/lost")
    assert code == 0
    lines = [line for line in said.splitlines() if line.strip()[:2] in ("A ", "B ", "C ")]
    assert ["fast-0" in lines[0], "slow-0" in lines[1], "lost" in lines[2]] == [True] * 3
    assert "*" in lines[0].split("±")[1]
    assert "(diverged)" in lines[2]
    assert "noise_size" in said
    assert "\x1b" not in said


def test_compare_as_json(jaxgen):
    code, said = jaxgen("compare", "slow-0", "slow-1", "fast-0", "fast-1", "--json")
    found = json.loads(said)
    assert code == 0
    assert found["differences"] == ["noise_size"]
    assert found["groups"][0]["runs"] == ["fast-0", "fast-1"]
    assert found["groups"][1]["figures"]["fid"]["p"] == pytest.approx(1 / 3)


def test_compare_by_another_figure(jaxgen):
    code, said = jaxgen("compare", "slow-0", "fast-0", "--by", "d_loss", "--json")
    assert (code, json.loads(said)["main"]) == (0, "d_loss")
    code, said = jaxgen("compare", "slow-0", "fast-0", "--by", "beauty")
    assert code == 2
    assert "no run has this figure; there are fid, d_loss, g_loss" in said


def test_runs_of_one_name_are_told_apart(jaxgen, folder, tmp_path):
    shutil.copytree(folder / "slow-0", tmp_path / "slow-0")
    _, said = jaxgen("compare", "slow-0", tmp_path / "slow-0", "--json")
    names = json.loads(said)["groups"][0]["runs"]
    assert names == [f"{folder.name}/slow-0", f"{tmp_path.name}/slow-0"]


def test_runs_lists_how_each_stands(jaxgen, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "slow-1" / "config.json").write_text("{")
    (tmp_path / "copy" / "fast-1" / "summary.json").unlink()
    code, said = jaxgen("runs", tmp_path / "copy", "--sort", "name", "--json")
    found = {one["run"]: one for one in json.loads(said)}
    assert code == 0
    assert {name: one["state"] for name, one in found.items()} == {
        "deep/lost": "diverged",
        "fast-0": "finished",
        "fast-1": "interrupted",
        "slow-0": "finished",
        "slow-1": "unreadable",
    }
    assert found["fast-0"]["figure"] == "FID"
    assert (found["fast-0"]["step"], found["fast-0"]["steps"]) == (40, 40)
    size = sum(os.path.getsize(p) for p in (folder / "fast-0").rglob("*") if p.is_file())
    assert found["fast-0"]["size"] == size
    assert "is not JSON" in found["slow-1"]["reason"]


def test_runs_as_a_table_obeys_nothing(jaxgen):
    code, said = jaxgen("runs", ".", "--sort", "figure")
    assert code == 0
    assert "40 of 40" in said
    assert "\x1b" not in said
    assert "d_loss is \ufffd[31mnan" in said
    assert said.index("fast-0") < said.index("slow-0") < said.index("deep/lost")


def test_runs_in_an_empty_folder_and_in_none(jaxgen, tmp_path):
    code, said = jaxgen("runs", tmp_path)
    assert (code, said) == (0, f"there are no runs in {tmp_path}\n")
    code, said = jaxgen("runs", tmp_path / "none")
    assert code == 2
    assert "is not there" in said
