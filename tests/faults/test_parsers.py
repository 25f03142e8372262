"""The mutants that once failed, each of them again; and that the campaign itself can fail."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.faults import mutants, parsers
from tests.faults.campaign import Failed, chance_of
from tests.faults.parsers import FORMATS

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path for path in CORPUS.glob("*/*"))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    made = parsers.Parsers()
    made.prepare(tmp_path_factory.mktemp("parsers"))
    return made


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_once_failed_is_told_or_read(campaign, path, tmp_path):
    (form,) = (form for form in FORMATS if parsers.plain(form.name) == path.parent.name)
    files = tmp_path / "files"
    mutants.copied(campaign.sample(form), files)
    shutil.copyfile(path, files / form.file)
    campaign.read(form, files)


def test_the_corpus_is_small_and_its_table_whole():
    assert FILES and sum(path.stat().st_size for path in FILES) < 300_000
    table = (CORPUS / "README.md").read_text()
    for path in FILES:
        assert f"| {path.parent.name}/{path.name} |" in table


def test_every_format_has_a_sound_sample(campaign, tmp_path):
    for form in FORMATS:
        files = tmp_path / parsers.plain(form.name) / "files"
        mutants.copied(campaign.sample(form), files)
        assert campaign.read(form, files) == ""


def test_a_trial_is_a_function_of_its_number(campaign):
    sample = campaign.sample(FORMATS[-1]) / FORMATS[-1].file
    made = [
        [
            mutants.mutant("json", sample.read_bytes(), b"other", chance_of("a", 1, number))
            for number in range(200)
        ]
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert len(set(made[0])) > 150


def test_a_crash_a_hang_and_a_lot_of_memory_fail_and_the_next_request_is_answered(
    campaign, tmp_path, monkeypatch
):
    worker = parsers.Worker(tmp_path)
    (tmp_path / "made").mkdir()
    with pytest.raises(Failed, match="the process ends with 1"):
        worker.ask(read="no such format", folder=str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(parsers, "HANG", 0.0)
        patch.setattr(parsers, "_LOOK", 0.0)
        with pytest.raises(Failed, match=r"hangs for 0 s"):
            worker.ask(make="summary", folder=str(tmp_path / "made"))  # it starts first
    with monkeypatch.context() as patch:
        patch.setattr(parsers, "MOST_MB", 10)
        patch.setattr(parsers, "_LOOK", 0.001)
        with pytest.raises(Failed, match=r"takes more than \d+ MB"):
            worker.ask(make="summary", folder=str(tmp_path / "made"))
    assert worker.ask(make="summary", folder=str(tmp_path / "made")) == {"failure": ""}
    worker.stop()


def test_damage_that_passes_for_what_was_written_fails(campaign, tmp_path):
    """A cache whose archive was written anew, so that its own checksums hold."""
    (form,) = (form for form in FORMATS if form.name == "cache")
    mutants.copied(campaign.sample(form), tmp_path / "files")
    path = tmp_path / "files" / form.file
    with np.load(path) as content:
        arrays = dict(content)
    arrays["image"] = arrays["image"] ^ 1
    np.savez(path, **arrays)
    with pytest.raises(Failed, match="cache: damage passes for what was written"):
        campaign.read(form, tmp_path / "files")


def test_zeros_at_the_end_of_metrics_are_not_read(campaign, tmp_path):
    """As a loss of power leaves them: a line of 4 GB, of which nothing must be kept."""
    (form,) = (form for form in FORMATS if form.name == "metrics")
    mutants.copied(campaign.sample(form), tmp_path / "files")
    os.truncate(tmp_path / "files" / form.file, 2**32)
    campaign.read(form, tmp_path / "files")
