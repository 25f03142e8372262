"""The commands as a user types them: files, messages, exit codes, exact resume."""

import csv
import json
import re
import shutil
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from PIL import Image

import jaxgen
from experiments import dcgan
from jaxgen.commands import cli
from jaxgen.commands.devices import in_words
from jaxgen.errors import JaxgenError
from jaxgen.training.run_folder import Run

DEVICES = f"devices: {in_words(jax.devices(), jax.devices())}\n"
TINY = (
    "--steps 40 --batch-size 8 --log-every 5 --sample-every 20 --checkpoint-every 10 "
    "--noise-size 4 --networks.hidden 8 --networks.generator-channels 4 4 "
    "--networks.discriminator-channels 2 2"
).split()


def train(workdir, *flags):
    """Run the experiment in this process; returns its exit code."""
    with pytest.raises(SystemExit) as stop:
        cli.main(dcgan.config, dcgan.__doc__, [*TINY, "--workdir", str(workdir), *flags])
    return stop.value.code


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "a"
    assert train(workdir) == 0
    return workdir


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def picture_size(path):
    with Image.open(path) as picture:
        return picture.size


def summary(workdir):
    return json.loads((workdir / "summary.json").read_text())


def snapshot(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def test_a_run_leaves_all_it_promises(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {
        "config.json", "metrics.csv", "curves.png", "samples", "samples.gif", "checkpoints",
        "tensorboard", "summary.json", ".lock", "metrics.sha256", "events.jsonl", "report.html",
    }  # fmt: skip
    with (finished / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 41))
    assert all(np.isfinite(float(row["d_loss"])) for row in rows)
    assert sorted(p.name for p in (finished / "samples").iterdir()) == [
        "step_000020.png", "step_000040.png",
    ]  # fmt: skip
    assert picture_size(finished / "samples" / "step_000040.png") == (242, 242)
    told = summary(finished)
    assert told["step"] == 40
    assert told["finished"]
    assert told["steps_per_second"] > 0
    assert {"jax", "flax"} <= told["versions"].keys()
    assert Run(finished).checkpoints().steps() == [20, 30, 40]


def test_load_gives_something_to_sample(finished):
    run = jaxgen.load(finished)
    images = run.sample(seed=1, n=9)
    assert images.shape == (9, 28, 28, 1)
    assert images.dtype == np.float32
    assert np.array_equal(images, jaxgen.load(str(finished)).sample(seed=1, n=9))


def test_the_same_command_on_a_finished_run_changes_nothing(copy, capsys):
    before = snapshot(copy)
    assert train(copy) == 0
    assert "is finished" in capsys.readouterr().out
    assert snapshot(copy) == before


def test_flags_not_given_take_the_numbers_of_the_run(copy, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(dcgan.config, "", ["--workdir", str(copy)])
    assert stop.value.code == 0


def test_another_configuration_is_refused_by_name(copy, capsys):
    before = snapshot(copy)
    assert train(copy, "--seed", "5", "--optimizer.b1", "0.7") == 2
    told = capsys.readouterr().err
    assert told.startswith(DEVICES)
    assert "seed: 0 -> 5" in told
    assert "optimizer.b1: 0.5 -> 0.7" in told
    assert "steps" not in told
    assert snapshot(copy) == before


def test_a_damaged_newest_checkpoint_falls_back_and_ends_the_same(copy, capsys):
    expected = summary(copy)["parameters_sha256"]
    data = max((copy / "checkpoints" / "40").rglob("*"), key=lambda p: p.stat().st_size)
    # Every byte, since nobody may read some of them; test_checkpoints flips single ones.
    data.write_bytes(bytes(byte ^ 1 for byte in data.read_bytes()))
    assert train(copy) == 0
    told = capsys.readouterr().err
    assert "checkpoint 40 is damaged" in told
    assert "using step 30" in told
    assert summary(copy)["parameters_sha256"] == expected
    assert (copy / "checkpoints" / "damaged-40").is_dir()


def command(workdir, *flags):
    return [sys.executable, "-m", "experiments.dcgan", *TINY, "--workdir", str(workdir), *flags]


@pytest.mark.long
def test_killed_at_a_random_moment_and_resumed_ends_with_the_same_bytes(
    finished, tmp_path, killed_twice_and_resumed
):
    """SIGKILL, twice, whenever it strikes after training began; the seed is in the message."""
    workdir = tmp_path / "killed"
    seed = killed_twice_and_resumed(command(workdir), workdir)
    same = summary(workdir)["parameters_sha256"] == summary(finished)["parameters_sha256"]
    assert same, f"killed with seed {seed}"
    assert (workdir / "metrics.csv").read_bytes() == (finished / "metrics.csv").read_bytes()
    last = "samples/step_000040.png"
    assert (workdir / last).read_bytes() == (finished / last).read_bytes()


def test_ctrl_c_saves_and_ends_cleanly(tmp_path):
    workdir = tmp_path / "stopped"
    process = subprocess.Popen(
        command(workdir, "--steps", "1000000", "--checkpoint-every", "0"), stderr=subprocess.PIPE
    )
    while not (workdir / "metrics.csv").exists() or len((workdir / "metrics.csv").read_text()) < 99:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(2)
    told = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert "the same command goes on" in told
    assert "Traceback" not in told
    assert Run(workdir).checkpoints().steps() == [summary(workdir)["step"]]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--stepz", "3"], "Unrecognized options"),
        (["--steps", "many"], "invalid literal"),
        (["--loss", "best"], "invalid choice"),
    ],
)
def test_wrong_flags(tmp_path, capsys, flags, words):
    assert train(tmp_path / "x", *flags) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--steps", "-5"], "--steps must be at least 1, got -5"),
        (["--batch-size", "6000"], "6000"),
        (["--data", "mnist6k"], "--data mnist6k: there are "),
        (["--data"], "--data needs a value"),
        (["--data", "idx", "--data.dir", "/nonexistent"], "/nonexistent"),
        (["--data", "tfds", "--data.dir", "/nonexistent"], "/nonexistent"),
        (["--networks", "lstm"], "--networks lstm: there are dcgan, mlp"),
        (
            ["--import", "/nonexistent.py"],
            "/nonexistent.py cannot be imported: there is",
        ),
        (["--seed", str(2**32)], "--seed must be at most 4294967295, got 4294967296"),
        (["--optimizer.learning-rate", "nan"], "--optimizer.learning-rate must be finite"),
        (["--networks.hidden", "0"], "--networks.hidden must be at least 1, got 0"),
        (["--noise-size", "0"], "--noise-size must be at least 1"),
        (["--devices", "-1"], "--devices must be at least 0"),
        (["--devices", "4096"], "--devices 4096: there "),
    ],
)
def test_bad_numbers_and_data_make_one_sentence(tmp_path, capsys, flags, words):
    assert train(tmp_path / "x", *flags) == 2
    *before, told = capsys.readouterr().err.splitlines()
    assert told.startswith("error: ")
    assert words in told
    # What is wrong with the data is found once the devices are named.
    assert [line[:9] for line in before] in ([], ["devices: "])
    assert not (tmp_path / "x").exists()


def test_foreign_and_unwritable_folders(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("precious")
    assert train(tmp_path) == 2
    assert "it is not a run" in capsys.readouterr().err
    assert train(tmp_path / "thesis.tex") == 2
    assert "is not a folder" in capsys.readouterr().err
    assert train("/proc/jaxgen") == 2
    assert re.search(r"cannot write to /proc/jaxgen", capsys.readouterr().err)
    assert snapshot(tmp_path) == {tmp_path / "thesis.tex": b"precious"}


def test_loading_what_is_no_run(tmp_path, finished, copy):
    with pytest.raises(JaxgenError, match="not a run"):
        jaxgen.load(tmp_path / "absent")
    (copy / "config.json").write_text("{")
    with pytest.raises(JaxgenError, match="not JSON"):
        jaxgen.load(copy)
    shutil.rmtree(copy / "checkpoints")
    shutil.copy(finished / "config.json", copy)
    with pytest.raises(JaxgenError, match="no checkpoint"):
        jaxgen.load(copy)


def test_sample_command(finished, tmp_path, run_module):
    code, told = run_module(
        "jaxgen", "sample", finished, "--n", 20, "--out", tmp_path / "s.npz", "--seed", 1
    )
    assert code == 0, told
    with np.load(tmp_path / "s.npz", allow_pickle=False) as file:
        assert file.files == ["images"]
        assert file["images"].shape == (20, 28, 28)
        expected = jaxgen.load(finished).sample(seed=1, n=20)[..., 0]
        np.testing.assert_array_equal(file["images"], expected)
    code, told = run_module("jaxgen", "sample", finished, "--n", 4, "--out", tmp_path / "grid.png")
    assert code == 0, told
    assert picture_size(tmp_path / "grid.png") == (124, 124)
    for flags, words in (
        ([finished, "--out", tmp_path / "grid.txt"], "error: --out"),
        ([finished, "--labels", 3, "--out", tmp_path / "x.png"], "not conditional"),
        ([finished, "--n", 0], "--n must be at least 1"),
        ([finished, "--n", 10**9], "--n must be at most 1000000"),
        ([finished, "--columns", 10**9], "--columns must be at most 10000"),
        ([finished, "--seed", -1], "--seed must be at least 0"),
        ([finished, "--interpolate", "--labels", 3], "give --interpolate or --labels, not both"),
        ([tmp_path / "absent"], "is not a run"),
    ):
        code, told = run_module("jaxgen", "sample", *flags)
        assert code == 2
        assert words in told
        assert told.removeprefix(DEVICES).count("\n") == 1


def test_a_gan_does_not_caption(finished, run_module):
    code, told = run_module("jaxgen", "caption", finished)
    assert code == 2
    assert told == f"error: {finished} holds no captioner; jaxgen sample draws images\n"


def test_a_conditional_run_by_its_commands(tmp_path, run_module):
    workdir = tmp_path / "c"
    code, told = run_module(
        "experiments.conditional_gan", "--workdir", workdir, "--steps", 3, "--evaluate-every", 3,
        "--evaluate-samples", 30, "--average-decay", "0.9", "--loss", "hinge",
    )  # fmt: skip
    assert code == 0, told
    assert "fid" in told
    assert summary(workdir)["metrics"]["label_agreement"] <= 1
    code, told = run_module(
        "jaxgen", "sample", workdir, "--labels", 3, 1, "--n", 6, "--out", tmp_path / "s.npz"
    )
    assert code == 0, told
    with np.load(tmp_path / "s.npz", allow_pickle=False) as file:
        assert file["labels"].tolist() == [1, 1, 1, 3, 3, 3]
    code, told = run_module(
        "jaxgen", "sample", workdir, "--interpolate", "--n", 20, "--out", tmp_path / "i.png"
    )
    assert code == 0, told
    assert picture_size(tmp_path / "i.png") == (604, 124)
    code, told = run_module("jaxgen", "evaluate", workdir)
    assert code == 0, told
    assert DEVICES in told
    assert "label agreement" in told
    assert summary(workdir)["evaluation"]["fid"]["floor"] > 0
    assert summary(workdir)["step"] == 3


def test_help_is_complete_and_import_is_light():
    text = subprocess.run(
        [sys.executable, "-m", "experiments.dcgan", "--help"], capture_output=True, text=True
    ).stdout
    assert "Training steps in all" in text
    assert "--networks.hidden" in text
    heavy = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, experiments.dcgan, jaxgen.commands.sample\n"
            "heavy = {'matplotlib', 'orbax', 'tensorboardX', 'tensorflow_datasets', 'pandas',"
            " 'sklearn', 'h5py', 'PIL'}\n"
            "print(sorted(heavy & sys.modules.keys()))",
        ],
        capture_output=True,
        text=True,
    ).stdout
    assert heavy.strip() == "[]"


def test_ctrl_c_before_training_is_one_line(capsys):
    def command():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        cli.run_guarded(command)
    assert stop.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_what_does_not_change_the_result_may_differ_when_a_run_goes_on(copy, finished):
    shutil.rmtree(copy / "checkpoints" / "40")
    flags = ["--log-every", "7", "--sample-every", "0", "--keep-checkpoints", "9"]
    flags += ["--devices", "1"]
    assert train(copy, *flags, "--evaluate-samples", "50", "--sampling-statistics", "batch") == 0
    assert summary(copy)["parameters_sha256"] == summary(finished)["parameters_sha256"]
    config = jaxgen.load(copy).config
    assert (config.log_every, config.keep_checkpoints, config.devices) == (7, 9, 1)


def test_more_steps_extend_a_finished_run_exactly(copy, tmp_path, capsys):
    assert train(copy, "--steps", "60") == 0
    assert "going on at step 40" in capsys.readouterr().err
    assert train(tmp_path / "whole", "--steps", "60") == 0
    assert summary(copy)["parameters_sha256"] == summary(tmp_path / "whole")["parameters_sha256"]
    with (copy / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == list(map(str, range(1, 61)))
    before = snapshot(copy)
    assert train(copy, "--steps", "50") == 2
    assert "has 60 steps already, more than --steps 50" in capsys.readouterr().err
    assert snapshot(copy) == before


def test_a_schedule_over_all_steps_is_extended_only_when_asked(tmp_path, capsys):
    run = tmp_path / "cosine"
    assert train(run, "--optimizer.cosine") == 0
    before = snapshot(run)
    assert train(run, "--optimizer.cosine", "--steps", "60") == 2
    told = capsys.readouterr().err
    assert "was to have 40 steps, not 60: the learning rate falls along a cosine" in told
    assert "--reschedule goes on nevertheless" in told
    assert snapshot(run) == before
    assert train(run, "--optimizer.cosine", "--steps", "60", "--reschedule") == 0
    assert summary(run)["step"] == 60


def test_the_record_says_what_wrote_it(finished):
    record = json.loads((finished / "config.json").read_text())
    assert record["jaxgen"] == jaxgen.__version__
    assert record["format"] == 2
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?)?", record["commit"])


def test_the_command_jaxgen(run_module):
    code, told = run_module("jaxgen", "--help")
    assert code == 0
    names = (
        "train",
        "sample",
        "caption",
        "evaluate",
        "report",
        "compare",
        "runs",
        "score",
        "captions",
    )
    for name in names:
        assert f"  {name} " in told
        code, help_of = run_module("jaxgen", name, "--help")
        assert code in (0, None)
        assert "usage" in help_of
    assert run_module("jaxgen", "--version") == (0, f"{jaxgen.__version__}\n")
    for words, told in (
        (["sampel"], "error: jaxgen has no command sampel; did you mean sample?\n"),
        (["train", "dcgann"], "error: jaxgen train dcgann: there is no such experiment; did you"),
        (["train", "zzz"], "error: jaxgen train zzz: there is no such experiment; there"),
        (["train", "absent.py"], "error: jaxgen train absent.py: there is no such file\n"),
        (["captions", "burn"], "error: jaxgen captions burn: there is only `jaxgen captions build"),
    ):
        code, said = run_module("jaxgen", *words)
        assert code == 2
        assert said.startswith(told)
        assert said.count("\n") == 1
    assert run_module("jaxgen")[0] == 2


def test_jaxgen_train_is_the_experiments_own_command(finished, tmp_path, run_module, monkeypatch):
    monkeypatch.delitem(sys.modules, "experiments.dcgan")  # as in a process of its own
    code, told = run_module("jaxgen", "train", "dcgan", *TINY, "--workdir", tmp_path / "a")
    assert code == 0, told
    assert summary(tmp_path / "a")["parameters_sha256"] == summary(finished)["parameters_sha256"]
    # In either form the run can be gone on with.
    code, told = run_module("experiments.dcgan", *TINY, "--workdir", tmp_path / "a")
    assert (code, "is finished" in told) == (0, True)
