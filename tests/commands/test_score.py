"""`jaxgen score`: a table, JSON, a signature, and one sentence for what cannot be measured."""

import hashlib
import json
import shutil

import pytest

import jaxgen
from jaxgen import settings
from jaxgen.commands import score
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions.report import measure
from jaxgen.metrics.captions.tokens import ptb

WROTE = [
    ["A man's dog, on the beach.", "A dog runs."],
    ["Two cats sit on a mat.", "cats"],
    ["The red bus isn't here!", "A red bus.", "bus"],
    ["Some people ride horses.", "people on horses"],
]
MADE = ["A man's dog runs.", "two cats on a", "The red bus isn't here", "people ride"]
WORSE = ["A dog", "a cat", "the bus is here", "horses"]
PLAIN = ["--no-java", "--resamples", "200"]


def write(path, content):
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def files(tmp_path):
    """COCO's annotations, and two files of results in another order."""
    images = [{"id": 10 + i, "file_name": f"COCO_val2014_{i:012d}.jpg"} for i in range(4)]
    said = [{"image_id": 10 + i, "caption": c} for i, some in enumerate(WROTE) for c in some]
    write(tmp_path / "refs.json", {"images": images, "annotations": said})
    for name, made in (("a", MADE), ("b", WORSE)):
        rows = [{"image_id": 10 + i, "caption": caption} for i, caption in enumerate(made)]
        write(tmp_path / f"{name}.json", rows[::-1])
    return tmp_path


def told(capsys, *words):
    assert score.main([str(word) for word in words]) == 0
    return capsys.readouterr()


def as_json(capsys, *words):
    return json.loads(told(capsys, *words, "--json", *PLAIN).out)


def test_figures_are_those_of_the_tokens(files, capsys):
    found = as_json(capsys, files / "a.json", files / "refs.json")
    cut = [[ptb.tokenise(caption) for caption in some] for some in WROTE]
    expected = measure([ptb.tokenise(caption) for caption in MADE], cut)
    figures = found["systems"][0]["figures"]
    assert figures == pytest.approx({key: expected[key] for key in figures}, abs=1e-12)
    for key, (low, high) in found["systems"][0]["intervals"].items():
        assert low <= figures[key] <= high
    assert found["systems"][0]["language"]["bad_endings"] == 1 / 4
    assert found["p_values"] is None
    assert found["notes"] == ["CIDEr-D of 4 images says little: their own words weigh them"]


def test_the_signature_says_what_the_figures_depend_on(files, capsys):
    digest = hashlib.sha256((files / "refs.json").read_bytes()).hexdigest()[:8]
    found = as_json(capsys, files / "a.json", files / "refs.json")
    assert found["signature"] == (
        f"split:all|images:4|refs:2-3|data:{digest}|tok:ptb-3.4.1|df:references|bs:200|ci:0.95|"
        f"seed:0|version:jaxgen-{jaxgen.__version__}"
    )
    flags = ["--tokens", "spaces", "--frequencies", files / "refs.json", "--seed", "3"]
    against = ["--against", files / "b.json", "--test", "randomisation", "--confidence", "0.9"]
    found = as_json(capsys, files / "a.json", files / "refs.json", *flags, *against)
    assert (
        f"|tok:spaces|df:refs.json(4,{digest})|bs:200|ci:0.9|seed:3|test:rand" in found["signature"]
    )
    write(
        files / "a.json", [{"image_id": 10, "caption": "a dog"}, {"image_id": 99, "caption": "x"}]
    )
    found = as_json(capsys, files / "a.json", files / "refs.json", "--missing", "skip")
    assert "|images:1|" in found["signature"] and "|left-out:4|" in found["signature"]
    found = as_json(capsys, files / "a.json", files / "refs.json", "--missing", "empty")
    assert "|images:4|" in found["signature"] and "|missing:empty|left-out:1|" in found["signature"]


def test_the_table_of_two_files(files, capsys):
    words = [files / "a.json", files / "refs.json", "--against", files / "b.json", *PLAIN]
    printed = told(capsys, *words)
    lines = printed.out.splitlines()
    assert lines[:2] == [f"A: {files / 'a.json'}", f"B: {files / 'b.json'}"]
    assert lines[2].split() == ["A", "95%", "interval", "B", "95%", "interval", "B", "-", "A", "p"]
    rows = {line[:20].strip(): line[20:].split() for line in lines[3:-1]}
    assert list(rows)[:6] == ["CIDEr-D", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L"]
    a, b, difference, p = (float(rows["ROUGE-L"][i]) for i in (0, 3, 6, 7))
    assert difference == pytest.approx(b - a, abs=2e-4) and difference < 0 < p <= 1
    assert rows["bad endings"] == ["25.0%", "0.0%"]
    assert "CIDEr-D of 4 images says little" in printed.err


def test_without_resamples_there_are_no_intervals(files, capsys):
    words = [files / "a.json", files / "refs.json", "--against", files / "b.json", "--no-java"]
    found = json.loads(told(capsys, *words, "--json", "--resamples", "0").out)
    assert found["systems"][0]["intervals"] == {} and found["p_values"] is None
    assert "bs:" not in found["signature"]
    assert "[" not in told(capsys, *words, "--resamples", "0").out


def test_novelty_and_document_frequencies_of_karpathys_file(files, capsys):
    images = [
        {"filename": f"{i}.jpg", "cocoid": 10 + i, "split": split, "sentences": [{"raw": caption}]}
        for i, (split, caption) in enumerate(
            zip(
                ["train", "test", "test", "restval"],
                ["two cats ON a!", *MADE[1:3], "x"],
                strict=True,
            )
        )
    ]
    path = write(files / "dataset.json", {"images": images})
    rows = [{"image_id": 10 + i, "caption": MADE[i]} for i in (1, 2)]
    a = write(files / "a.json", rows)
    flags = ["--split", "test", "--training", path, "--frequencies", path]
    found = as_json(capsys, a, path, *flags, "--frequencies-split", "train")
    assert found["systems"][0]["language"]["novel"] == 1 / 2
    assert found["systems"][0]["figures"]["bleu_4"] == pytest.approx(1)
    assert found["signature"].startswith("split:test|images:2|refs:1|")
    assert "|df:dataset.json:train(1," in found["signature"]
    with pytest.raises(
        JaxgenError, match="no image of the split 'dev'; it has restval, test, train"
    ):
        as_json(capsys, a, path, "--split", "dev")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--frequencies-split", "x"], "give --frequencies too"),
        (["--resamples", "-1"], "^--resamples must be at least 0"),
        (["--confidence", "1"], r"--confidence must be in \(0, 1\)"),
        (["--against", "absent.json"], "absent.json cannot be read"),
        (["--references-format", "karpathy"], r"images\[0\] has no 'filename'"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(files, flags, message):
    with settings.flags_spelled(), pytest.raises(JaxgenError, match=message):
        score.main([str(files / "a.json"), str(files / "refs.json"), "--no-java", *flags])


def test_two_files_of_different_images_are_refused(files, capsys):
    write(files / "b.json", [{"image_id": 10, "caption": "a dog"}])
    words = [files / "a.json", files / "refs.json", "--against", files / "b.json"]
    with pytest.raises(JaxgenError, match="have captions of different images"):
        as_json(capsys, *words, "--missing", "skip")
    found = as_json(capsys, *words, "--missing", "empty")
    assert found["systems"][1]["language"]["empty"] == 3 / 4


def test_what_java_lacks_is_noted(files, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    words = [files / "a.json", files / "refs.json", "--json", "--resamples", "0"]
    notes = json.loads(told(capsys, *words).out)["notes"]
    assert any("METEOR needs" in line for line in notes)
