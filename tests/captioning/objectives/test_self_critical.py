"""Self-critical training: where it starts, what it minimises, and that it goes on exactly."""

import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgen
from experiments import caption_rnn
from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.config import CaptionConfig
from jaxgen.captioning.objectives import policy
from jaxgen.captioning.objectives.base import Setup
from jaxgen.captioning.objectives.self_critical import BAD_ENDINGS, SelfCritical
from jaxgen.captioning.rewards.base import Reward, Scorer
from jaxgen.captioning.rewards.cider import Cider
from jaxgen.commands import cli
from jaxgen.data.captions.base import CaptionData, Captions, Features, Split
from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.training import checkpoints, experiment
from jaxgen.training.loop import Loop
from jaxgen.training.optimizers import Optimizer

SENTENCES = ["a cat", "a dog on a mat", "the cat", "a mat on the dog", "a dog", "the mat of a cat"]
VOCABULARY = Vocabulary([*SPECIAL, "a", "the", "cat", "dog", "on", "mat", "of"])
WIDTH = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Few(Captions):
    """Six images with three captions each."""

    words: int = len(VOCABULARY)

    def load(self):
        vocabulary = Vocabulary(VOCABULARY.words[: self.words])
        index = np.repeat(np.arange(6, dtype=np.int32), 3)
        told = [SENTENCES[(image + i) % 6] for image in range(6) for i in range(3)]
        captions = np.stack([vocabulary.encode(sentence, 8) for sentence in told])
        features = Features.of(np.eye(6, WIDTH))
        split = Split({"captions": captions, "image_index": index}, features, [""] * 6)
        return CaptionData(split, split, vocabulary)


@dataclasses.dataclass(frozen=True)
class Cats(Reward):
    """Pays for cats, a little for each word, and charges END if it counts."""

    def scorer(self, data, count_end):
        cat, end = data.vocabulary.words.index("cat"), data.vocabulary.end

        def score(shared, of_images, words_NKL):
            cats = (words_NKL == cat).sum(axis=2) + 0.1 * (words_NKL != 0).sum(axis=2)
            return (cats - 5 * count_end * (words_NKL == end).sum(axis=2)).astype(jnp.float32)

        return Scorer({}, {}, score)


def config(workdir, **changes):
    few = CaptionConfig(
        workdir=str(workdir),
        captioner=LSTM(hidden=12, word_size=6),
        optimizer=Optimizer(learning_rate=0.02),
        data=Few(),
        max_length=9,
        steps=8,
        batch_size=6,
        log_every=4,
        sample_every=0,
        checkpoint_every=4,
    )
    return dataclasses.replace(few, **changes)


def critical(start, **changes):
    return SelfCritical(start=str(start), **{"reward": Cider(), "samples": 3} | changes)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A run of cross-entropy."""
    path = tmp_path_factory.mktemp("runs") / "start"
    experiment.train(config(path))
    return path


def parameters(run):
    return json.loads((run / "summary.json").read_text())["parameters_sha256"]


@pytest.fixture(scope="module")
def finished(start, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "whole"
    experiment.train(config(run, objective=critical(start)))
    return run


def test_it_starts_from_the_runs_captioner_whose_content_it_records(start, finished):
    theirs = jaxgen.load(start)
    for replicas in (1, 2):
        one = config("unused", objective=critical(start), replicas=replicas)
        state = Loop(one.task(), one).initial_state()
        for mine, other in zip(
            jax.tree.leaves(state.params), jax.tree.leaves(theirs.params), strict=True
        ):
            wanted = np.asarray(other) if replicas == 1 else np.stack([other, other])
            np.testing.assert_array_equal(mine, wanted)
    objective = json.loads((finished / "config.json").read_text())["config"]["objective"]
    assert objective["start_sha256"] == checkpoints.checksum(theirs.params)
    assert jaxgen.load(finished).history["reward"][1].shape == (8,)


def test_a_run_that_goes_on_ends_as_an_unbroken_one_though_its_start_is_gone(
    start, finished, tmp_path
):
    moved = shutil.copytree(start, tmp_path / "start")
    broken = config(tmp_path / "run", objective=critical(moved), steps=4)
    experiment.train(broken)
    shutil.rmtree(moved)
    experiment.train(dataclasses.replace(broken, steps=8))
    assert parameters(tmp_path / "run") == parameters(finished)
    jaxgen.load(tmp_path / "run").caption(np.eye(6, WIDTH))


def test_a_start_that_was_altered_before_the_first_checkpoint_is_refused(start, tmp_path):
    copy = shutil.copytree(start, tmp_path / "start")
    begun = config(tmp_path / "run", objective=critical(copy))
    experiment.train(begun)
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    experiment.train(config(copy, steps=9))
    with pytest.raises(JaxgenError, match=r"objective\.start .* holds another captioner"):
        experiment.train(begun)
    # Named anew, it is another start.
    other = dataclasses.replace(begun, objective=critical(tmp_path / "run" / ".." / "start"))
    with pytest.raises(JaxgenError, match=r"objective\.start_sha256"):
        experiment.train(other)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"captioner": LSTM(hidden=11, word_size=6)}, r"captioner\.hidden: 12 -> 11"),
        ({"captioner": RNN(hidden=12, word_size=6)}, r"captioner\.type: 'lstm' -> 'rnn'"),
        ({"data": Few(words=10)}, "other words than data has"),
    ],
)
def test_a_start_of_something_else_is_refused_before_anything_is_written(
    start, tmp_path, changes, words
):
    with pytest.raises(JaxgenError, match=words):
        experiment.train(config(tmp_path / "run", objective=critical(start), **changes))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": ""}, r"objective\.start must name the folder of a run"),
        ({"start": "nowhere"}, "nowhere is not a run"),
        ({"samples": 1}, r"objective\.samples of at least 2, got 1"),
        ({"longest": 10}, r"objective\.longest 10 must be at most max_length 9"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(start, tmp_path, changes, words):
    objective = dataclasses.replace(critical(start), **changes)
    with pytest.raises(JaxgenError, match=words):
        experiment.train(config(tmp_path / "run", objective=objective))
    assert not (tmp_path / "run").exists()


def test_each_seed_starts_from_its_own_replica(tmp_path):
    several = tmp_path / "several"
    experiment.train(config(several, replicas=3, steps=2))
    there = jaxgen.load(several)
    experiment.train(
        config(
            tmp_path / "two", seed=1, replicas=2, steps=2, log_every=2, objective=critical(several)
        )
    )
    two = jaxgen.load(tmp_path / "two")
    for index, seed in enumerate((1, 2)):
        place, objective = tmp_path / f"single{seed}", critical(several)
        experiment.train(config(place, seed=seed, steps=2, log_every=2, objective=objective))
        single, own = jaxgen.load(place), two.replica(index).params
        assert checkpoints.checksum(own) == checkpoints.checksum(single.params)
        before, after = there.replica(seed).params, single.params
        moved = jax.tree.map(lambda old, new: float(np.abs(old - new).max()), before, after)
        assert 0 < max(jax.tree.leaves(moved)) < 0.05  # two steps of Adam from there
    with pytest.raises(JaxgenError, match="no replica of seed 3, only of seeds 0 to 2"):
        objective = critical(several)
        experiment.train(config(tmp_path / "run", seed=2, replicas=2, objective=objective))


@pytest.fixture(scope="module")
def pieces(start):
    """A batch with its rewards' rows, the captioner and its parameters."""
    few = config("unused", objective=critical(start, reward=Cats()))
    source = few.task().source
    chunk = jax.tree.map(lambda rows: rows[0], source.chunk(np.arange(6)[None]))
    batch = source.batch(source.arrays, chunk)
    model = jaxgen.load(start)
    about = dataclasses.make_dataclass("About", ["vocabulary", "feature_shape"])
    writer = few.writer(about(VOCABULARY.words, (WIDTH,)))
    setup = Setup(writer.module, writer.special, few.loss, few.max_length)
    return setup, model.params, batch


def loss_of(setup, **changes):
    objective = critical("unused", reward=Cats(), **changes)
    return objective.built(setup, Few().load()).loss


@pytest.mark.parametrize("baseline", ["leave_one_out", "greedy"])
@pytest.mark.parametrize("count_end", [False, True])
def test_the_loss_by_hand(pieces, baseline, count_end):
    setup, params, batch = pieces
    key = jax.random.key(3)
    loss = loss_of(setup, baseline=baseline, count_end=count_end)
    value, metrics = jax.jit(lambda p: loss(p, batch, key, None))(params)
    greedy = baseline == "greedy"
    drawn = np.asarray(
        policy.draw(setup.module, params, batch["features"], setup.special, 7, key, 3, greedy)
    )
    scorer = Cats().scorer(Few().load(), count_end)
    reward = np.asarray(scorer.score({}, {}, drawn))
    if greedy:
        floor, drawn, reward = reward[:, :1], drawn[:, 1:], reward[:, 1:]
    else:
        floor = np.stack([np.delete(reward, k, axis=1).mean(axis=1) for k in range(3)], axis=1)
    found = policy.probability(setup.module, params, batch["features"], setup.special, drawn)
    wanted = {
        "loss": -np.mean((reward - floor) * np.asarray(found.log_NK)),
        "reward": reward.mean(),
        "baseline": floor.mean(),
        "length": (drawn != 0).sum(axis=2).mean(),
        "entropy": found.entropy,
        "unended": 1 - (drawn == VOCABULARY.end).any(axis=2).mean(),
    }
    said = [VOCABULARY.decode(words).split() for words in drawn.reshape(-1, drawn.shape[2])]
    wanted["bad_endings"] = np.mean([bool(words) and words[-1] in BAD_ENDINGS for words in said])
    assert metrics.keys() == wanted.keys()
    for name, figure in wanted.items():
        assert float(metrics[name]) == pytest.approx(float(figure), rel=1e-4, abs=1e-6), name
    assert value == metrics["loss"]
    assert 0 < wanted["bad_endings"] < 1


def test_the_usual_loss_may_stand_beside_it(pieces):
    setup, params, batch = pieces
    key = jax.random.key(3)
    alone, both = (
        jax.jit(lambda p, w=weight: loss_of(setup, cross_entropy=w)(p, batch, key, None)[1])(params)
        for weight in (0.0, 0.5)
    )
    assert both.keys() - alone.keys() == {"cross_entropy"}
    wanted = alone["loss"] + 0.5 * both["cross_entropy"]
    assert float(both["loss"]) == pytest.approx(float(wanted), rel=1e-5)
    assert both["cross_entropy"] > 1


def test_the_reward_rises(start, tmp_path):
    run = tmp_path / "run"
    objective = critical(start, reward=Cats(), samples=5, count_end=False)
    experiment.train(config(run, objective=objective, steps=80, log_every=20))
    reward = jaxgen.load(run).history["reward"][1]
    assert reward[-10:].mean() > reward[:10].mean() + 2


def test_flags_choose_the_objective_and_its_reward(start, tmp_path, capsys):
    base = dataclasses.replace(caption_rnn.config, **vars(config("unused")))
    argv = ["--objective", "self_critical", "--objective.start", str(start), "--steps", "2"]
    argv += ["--workdir", str(tmp_path / "run"), "--objective.samples", "2"]
    with pytest.raises(SystemExit) as stop:
        cli.main(base, "", [*argv, "--objective.reward", "truth"])
    assert stop.value.code == 2
    assert "--objective.reward truth has to know what is in the training images" in (
        capsys.readouterr().err
    )
    with pytest.raises(SystemExit) as stop:
        cli.main(base, "", [*argv, "--objective.reward", "praise"])
    assert stop.value.code == 2
    assert "--objective.reward praise: there are cider, truth" in capsys.readouterr().err
    for again in ([], ["--steps", "3"]):  # the second time it goes on, its start recorded
        with pytest.raises(SystemExit) as stop:
            cli.main(base, "", [*argv, *again])
        assert stop.value.code in (0, None)
    assert jaxgen.load(tmp_path / "run").history["reward"][1].shape == (3,)
