"""Captioning on a small COCO-layout folder: one step by hand, batches, overfitting, commands."""

import dataclasses
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxgen
from experiments import caption_rnn
from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.config import AboutCaptions, CaptionConfig, source
from jaxgen.captioning.decoding import Decoding, SpecialWords, beam_search
from jaxgen.commands import cli
from jaxgen.data.captions.base import load_captions
from jaxgen.data.captions.coco import Coco
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions import java as captions_java
from jaxgen.settings import memory
from jaxgen.training.metrics_file import read_metrics
from jaxgen.training.optimizers import Optimizer, sgd

SENTENCES = ["a cat", "a dog on a mat", "the cat on the mat", "the dog", "a mat", "a cat on a dog"]
VOCABULARY = Vocabulary.of_sentences(SENTENCES, 1)
IMAGES, WIDTH = 6, 8


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Six images, a caption each, in both splits."""
    folder = tmp_path_factory.mktemp("coco")
    captions = np.stack([VOCABULARY.encode(sentence, 8) for sentence in SENTENCES])
    features = np.random.default_rng(0).normal(size=(IMAGES, WIDTH)).astype(np.float32)
    with h5py.File(folder / "coco2014_captions.h5", "w") as file:
        for split in ("train", "val"):
            file[f"{split}_captions"] = captions
            file[f"{split}_image_idxs"] = np.arange(IMAGES, dtype=np.int32)
    for split in ("train", "val"):
        with h5py.File(folder / f"{split}2014_vgg16_fc7_pca.h5", "w") as file:
            file["features"] = features
        names = [f"{image}.png" for image in range(IMAGES)]
        (folder / f"{split}2014_urls.txt").write_text("\n".join(names))
    for name in names[1:]:  # the first is missing, which must not be fatal
        Image.new("RGB", (20, 30), "red").save(folder / name)
    index = {word: place for place, word in enumerate(VOCABULARY.words)}
    vocabulary = {"idx_to_word": list(VOCABULARY.words), "word_to_idx": index}
    (folder / "coco2014_vocab.json").write_text(json.dumps(vocabulary))
    return folder


def small(folder, **changes):
    config = CaptionConfig(
        workdir="",
        steps=60,
        batch_size=6,
        log_every=30,
        captioner=LSTM(hidden=16, word_size=8),
        optimizer=Optimizer(learning_rate=0.05),
        data=Coco(dir=str(folder), max_train=6),
        max_length=7,
    )
    return dataclasses.replace(config, **changes)


FLAGS = (
    "--steps 60 --batch-size 6 --log-every 30 --sample-every 60 --checkpoint-every 60 "
    "--evaluate-every 60 --captioner.hidden 16 --captioner.word-size 8 --captioner.dropout 0 "
    "--optimizer.learning-rate 0.05 --optimizer.warm-up 0 --max-length 7 "
    "--data coco --data.max-train 6 --data.in-memory-mb 0"
).split()


def command(workdir, folder, *flags):
    """Run the experiment in this process; returns its exit code."""
    argv = [*FLAGS, "--workdir", str(workdir), "--data.dir", str(folder), *flags]
    with pytest.raises(SystemExit) as stop:
        cli.main(caption_rnn.config, "", argv, presets={"overfit": caption_rnn.overfit})
    return stop.value.code


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "a"
    assert command(workdir, folder) == 0
    return workdir


@pytest.fixture(scope="module")
def trained(finished):
    return jaxgen.load(finished)


def test_a_step_is_gradient_descent_on_the_masked_loss(folder):
    config = small(folder, optimizer=Optimizer(rule=sgd, learning_rate=0.1))
    task = config.task()
    batch = {
        "captions": np.stack([VOCABULARY.encode(sentence, 8) for sentence in SENTENCES]),
        "features": np.cos(np.arange(IMAGES * WIDTH, dtype=np.float32)).reshape(IMAGES, WIDTH),
    }
    state = jax.jit(task.init)(jax.random.key(1), batch)
    new, metrics = jax.jit(task.step)(state, batch, jax.random.key(2))
    module = config.captioner.module(len(VOCABULARY), (WIDTH,), 7)

    @jax.jit
    def by_hand(params):
        def loss(params):
            logits = module.apply({"params": params}, batch["features"], batch["captions"][:, :-1])
            wanted = jax.nn.one_hot(batch["captions"][:, 1:], len(VOCABULARY))
            right = (jax.nn.log_softmax(logits) * wanted).sum(-1)
            return -right.sum(where=batch["captions"][:, 1:] != 0) / IMAGES

        value, gradient = jax.value_and_grad(loss)(params)
        return value, jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)

    loss, params = by_hand(state.params)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), new.params, params
    )


def test_dropout_follows_the_key_and_the_loss_its_reduction(folder):
    config = small(folder, captioner=RNN(hidden=16, word_size=8, dropout=0.5))
    captioning = config.captioning(AboutCaptions(VOCABULARY.words, (WIDTH,), 6))
    batch = source(load_captions(config.data).train, config)
    batch = batch.batch(batch.arrays, np.arange(6))
    state = jax.jit(captioning.init)(jax.random.key(1), batch)
    step = jax.jit(captioning.step)
    losses = [float(step(state, batch, jax.random.key(key))[1]["loss"]) for key in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]


def test_features_make_the_same_batches_wherever_they_are_kept(folder):
    """On the device a step gathers its batch in the program, else the host does for a dispatch."""
    indices_KB = np.array([[5, 0, 0], [1, 2, 4]])
    made = []
    for megabytes in (512, 0):
        data = dataclasses.replace(small(folder).data, in_memory_mb=megabytes)
        for keep in ("auto", "device", "host", *(["stream"] if not megabytes else [])):
            found = source(load_captions(data).train, small(folder, keep_data=keep))
            on_device = keep == "device" or (keep == "auto" and megabytes > 0)
            assert ("features" in found.arrays) == on_device
            chunk = found.chunk(indices_KB)
            slices = [jax.tree.map(lambda leaf: leaf[i], chunk) for i in range(2)]  # noqa: B023
            made.append([found.batch(found.arrays, part) for part in slices])
    for other in made[1:]:
        jax.tree.map(np.testing.assert_array_equal, made[0], other)
    assert made[0][0]["features"].shape == (3, WIDTH)


def test_stream_leaves_features_in_their_file(folder):
    config = small(folder, keep_data="stream")
    assert config.data.in_memory_mb
    assert config.task().source.arrays == {}
    with pytest.raises(JaxgenError, match=r"keep_data stream: this set is loaded whole; leave"):
        source(load_captions(config.data).train, config)


def test_features_are_read_by_another_thread_while_this_one_reads_them(folder):
    """As the loop prepares the next dispatch while validation captions are made."""
    data = load_captions(dataclasses.replace(small(folder).data, in_memory_mb=0))
    found, indices_KB = source(data.train, small(folder)), np.arange(6).reshape(2, 3)
    expected = found.chunk(indices_KB)["features"]
    rows = np.arange(data.validation.features.shape[0])
    shown = data.validation.features.gather(rows)
    with ThreadPoolExecutor(3) as pool:
        chunks = [pool.submit(found.chunk, indices_KB) for _ in range(60)]
        for _ in range(60):
            np.testing.assert_array_equal(data.validation.features.gather(rows), shown)
        for chunk in chunks:
            np.testing.assert_array_equal(chunk.result()["features"], expected)


def test_a_run_reproduces_the_captions_it_was_trained_on(finished, trained, folder):
    metrics = read_metrics(finished / "metrics.csv")
    assert metrics["loss"][1][-1] < 0.1 < 5 < metrics["loss"][1][0]
    assert metrics["reproduced"][1][-1] == 1
    assert metrics["cider_d"][1][-1] > 5
    data = load_captions(Coco(dir=str(folder)))
    assert trained.caption(data.validation.features.array) == SENTENCES
    assert trained.caption(data.validation.features.array[4:5]) == SENTENCES[4:5]
    assert trained.caption(data.validation.features.array, beam=2) == SENTENCES
    with Image.open(finished / "samples" / "step_000060.png") as picture:
        assert picture.size == (4 * 240, 2 * 368)


@pytest.fixture
def without_java(monkeypatch):
    """METEOR would take longer than all else."""
    monkeypatch.setattr(captions_java, "measure", lambda made, references: ({}, ["no Java"]))


def test_evaluation_is_of_the_whole_validation_set(trained, without_java):
    """Padding to a compiled batch must not count: the loss by hand, caption by caption."""
    figures, table = trained.evaluate()
    data = load_captions(trained.config.data)
    captions = data.validation.captions["captions"]
    features = data.validation.features.gather(np.arange(IMAGES))
    module = trained.config.captioner.module(len(VOCABULARY), (WIDTH,), 7)
    logits = jax.jit(module.apply)({"params": trained.params}, features, captions[:, :-1])
    right = np.take_along_axis(jax.nn.log_softmax(logits), captions[:, 1:, None], -1)[..., 0]
    total = -float(right.sum(where=captions[:, 1:] != 0))
    assert figures["validation_loss"] == pytest.approx(total / IMAGES, rel=1e-4)
    words = np.count_nonzero(captions[:, 1:])
    assert figures["validation_perplexity"] == pytest.approx(np.exp(total / words), rel=1e-4)
    assert figures["reproduced"] == 1
    assert "validation_loss" in table
    # Both splits have the same images, of which captions are copied or reproduced word for word.
    assert figures["rouge_l"] == figures["nearest"]["rouge_l"] == pytest.approx(1)
    assert figures["repeated"] == 0


def test_evaluate_command_adds_to_the_summary(finished, run_module, without_java):
    code, told = run_module("jaxgen", "evaluate", finished)
    assert code == 0, told
    assert "CIDEr-D" in told
    assert "no Java" in told
    evaluation = json.loads((finished / "summary.json").read_text())["evaluation"]
    assert {"bleu_1", "bleu_4", "cider_d", "validation_loss", "nearest"} <= set(evaluation)


def test_a_missing_picture_is_reported_and_not_fatal(trained):
    shown = trained.show(n=6)
    assert "no picture from 0.png" in shown.text
    assert "a dog on a mat  |  a dog on a mat" in shown.text
    assert shown.picture.shape == (2 * 368, 4 * 240, 3)


@pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        (np.zeros((2, 5)), {}, r"features must be \(N, 8\), got shape \(2, 5\)"),
        (np.full((1, WIDTH), np.nan), {}, "finite"),
        (np.zeros((1, WIDTH)), {"beam": 0}, "^beam must be at least 1"),
        (np.zeros((1, WIDTH)), {"top_p": 2.0}, r"top_p must be in \(0, 1\]"),
        (np.zeros((1, WIDTH)), {"top_k": 3}, "need a temperature"),
        (np.zeros((1, WIDTH)), {"beam": 2, "temperature": 1.0}, "not both"),
    ],
)
def test_what_cannot_be_captioned_is_refused(trained, features, options, words):
    with pytest.raises(JaxgenError, match=words):
        trained.caption(features, **options)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--optimizer.learning-rate", "-1"], "--optimizer.learning-rate must be positive"),
        (["--captioner.hidden", "0"], "--captioner.hidden must be at least 1"),
        (["--max-length", "3"], "--max-length must be at least 7"),
        (["--evaluate-images", "0"], "--evaluate-images must be at least 1"),
        (["--data.dir", "/nonexistent"], "/nonexistent"),
        (["--data", "scenes", "--data.dir", "", "--data.scenes", "3"], "--data.scenes"),
        (["--batch-size", "7"], "batch size 7"),
        (["--preset", "best"], "there is no such preset (overfit)"),
    ],
)
def test_bad_input_makes_one_sentence(tmp_path, capsys, folder, flags, words):
    assert command(tmp_path / "x", folder, *flags) == 2
    # What only the data tell is found after the line that names the devices.
    told = "\n".join(
        line for line in capsys.readouterr().err.splitlines() if not line.startswith("devices: ")
    )
    assert told.startswith("error: ")
    assert words in told
    assert "\n" not in told
    assert not (tmp_path / "x").exists()


def test_caption_command(finished, tmp_path, run_module):
    out = tmp_path / "captions.png"
    code, told = run_module("jaxgen", "caption", finished, "--n", 3, "--out", out)
    assert code == 0, told
    assert "a cat  |  a cat" in told
    with Image.open(out) as picture:
        assert picture.size == (3 * 240, 368)
    for flags, words in [
        (["--n", 0], "--n must be at least 1"),
        (["--out", tmp_path / "captions.txt"], "must end in"),
        (["--out", tmp_path / "absent" / "captions.png"], "no folder"),
        (["--top-k", 5], "need a --temperature"),
    ]:
        code, told = run_module("jaxgen", "caption", finished, *flags)
        assert code == 2
        assert words in told


def test_a_captioner_draws_no_samples(finished, run_module):
    code, told = run_module("jaxgen", "sample", finished)
    assert code == 2
    assert told == f"error: {finished} draws no samples; jaxgen caption captions images\n"


@pytest.mark.long
def test_killed_at_a_random_moment_and_resumed_ends_with_the_same_bytes(
    folder, tmp_path, killed_twice_and_resumed
):
    """SIGKILL, twice, whenever it strikes after training began; the seed is in the message."""
    more = ["--steps", "1500", "--checkpoint-every", "400", "--captioner.dropout", "0.3"]
    assert command(tmp_path / "whole", folder, *more) == 0
    killed = tmp_path / "killed"
    program = [sys.executable, "-m", "experiments.caption_rnn", *FLAGS]
    program += ["--workdir", str(killed), "--data.dir", str(folder), *more]
    seed = killed_twice_and_resumed(program, killed)
    ends = [
        json.loads((run / "summary.json").read_text())["parameters_sha256"]
        for run in (tmp_path / "whole", killed)
    ]
    assert ends[0] == ends[1], f"killed with seed {seed}"


SHARDED = """
import sys
import jax
from experiments import caption_rnn
from jaxgen.data.captions.coco import Coco
from jaxgen.captioning.captioners.recurrent import LSTM
from jaxgen.training.loop import Loop
from jaxgen.training.watching import Watcher
import dataclasses

class Printing(Watcher):
    def metrics(self, first_step, history):
        print(jax.device_count(), *history["loss"])

for megabytes in (512, 0):
    config = dataclasses.replace(
        caption_rnn.config, steps=4, batch_size=4, max_length=7, captioner=LSTM(8, 8),
        data=Coco(dir=sys.argv[1], in_memory_mb=megabytes),
    )
    task = dataclasses.replace(config.task(), show=lambda state: None)
    Loop(task, config).run(watcher=Printing())
"""


@pytest.mark.long
def test_four_devices_train_as_one_does(folder, on_devices):
    """With features on the devices, and with features read from their file for each dispatch."""
    losses = {}
    for count in (1, 4):
        done = on_devices(SHARDED, folder, count=count)
        lines = [line.split() for line in done.stdout.splitlines()]
        assert [line[0] for line in lines] == [str(count)] * 2
        losses[count] = np.array([line[1:] for line in lines], float)
    assert losses[1].shape == (2, 4)
    np.testing.assert_array_equal(losses[1][0], losses[1][1])
    np.testing.assert_allclose(losses[4], losses[1], rtol=1e-4)


def test_other_data_than_it_was_trained_on_are_refused(finished, folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    for split in ("train", "val"):
        with h5py.File(other / f"{split}2014_vgg16_fc7_pca.h5", "w") as file:
            file["features"] = np.zeros((IMAGES, WIDTH + 1), np.float32)
    record = json.loads((finished / "config.json").read_text())
    record["config"]["data"]["dir"] = str(other)
    del record["sha256"]
    copy = shutil.copytree(finished, tmp_path / "copy")
    (copy / "config.json").write_text(json.dumps(record))
    with pytest.raises(JaxgenError, match="other words or features"):
        jaxgen.load(copy).evaluate()


def test_decoding_fields_choose_the_algorithm():
    scores = jnp.asarray(np.random.default_rng(3).normal(size=(7, 7)).astype(np.float32))

    def step(carry, words):
        return carry, scores[words]

    special, carry, key = SpecialWords(), jnp.zeros(2), jax.random.key(0)

    def words(**fields):
        return Decoding(**fields).words(step, carry, special, 5, key)

    beam = jax.jit(lambda: (words(beam=3), beam_search(step, carry, special, 5, 3)[0]))()
    np.testing.assert_array_equal(*beam)
    greedy, narrow = jax.jit(lambda: (words(), words(temperature=1.0, top_k=1)))()
    np.testing.assert_array_equal(greedy, narrow)


def test_what_is_done_instead_of_what_was_asked_for_is_said(folder, capsys):
    small(folder, data=Coco(dir=str(folder), max_train=7)).task()
    told = capsys.readouterr().err
    assert told == "note: data.max_train 7: there are 6 training captions, all are used\n"


def test_features_read_from_their_file_must_fit_for_a_dispatch(folder, monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 1000)
    with pytest.raises(JaxgenError, match=r"the examples of two steps, .* smaller batch_size"):
        small(folder, data=Coco(dir=str(folder), in_memory_mb=0)).task()
    monkeypatch.setattr(memory, "free", lambda: 100)
    with pytest.raises(JaxgenError, match=r"the features would .* leave keep_data at auto"):
        data = Coco(dir=str(folder), in_memory_mb=0)
        small(folder, data=data, keep_data="device").task()
