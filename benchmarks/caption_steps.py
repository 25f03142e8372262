"""Training steps of the captioners beside NumPy's and PyTorch's, at the notebooks' sizes.

Captions and features are made up: 512-wide features, 1,004 words, 17 tokens a caption.
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import numpy as np

from benchmarks import training_loop
from benchmarks.measuring import Comparison, Contender, Flops, Settings
from jaxgen.captioning import losses
from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.step import Captioning
from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.training.optimizers import Optimizer
from jaxgen.training.task import Source, Task

VOCAB, TOKENS, FEATURES, CAPTIONS = 1004, 17, 512, 1280
BATCHES = (25, 128)
CAPACITY = 50  # steps of a dispatch

_RECURRENT = CaptionConfig(
    workdir="", steps=CAPACITY, captioner=RNN(), optimizer=Optimizer(learning_rate=5e-3)
)
CONFIGS = {
    "RNN": _RECURRENT,
    "LSTM": replace(_RECURRENT, captioner=LSTM()),
    "Transformer": replace(
        _RECURRENT,
        captioner=Transformer(),
        loss=losses.mean_over_positions,
        optimizer=Optimizer(learning_rate=1e-3),
    ),
}


@dataclass(frozen=True)
class Data:
    """Made-up captions (N, 17), START first, and features (N, 512), one row for each."""

    captions: np.ndarray
    features: np.ndarray

    @classmethod
    def made(cls) -> "Data":
        """Random words, 8 to 15 a caption, then END and NULLs."""
        rng = np.random.default_rng(0)
        words_NT = rng.integers(len(SPECIAL), VOCAB, (CAPTIONS, TOKENS))
        ends_N1 = rng.integers(9, TOKENS, (CAPTIONS, 1))
        words_NT[:, 0] = vocabulary().start
        position_1T = np.arange(TOKENS)[None]
        words_NT = np.where(position_1T == ends_N1, vocabulary().end, words_NT)
        words_NT = np.where(position_1T > ends_N1, vocabulary().null, words_NT)
        features_NF = rng.normal(size=(CAPTIONS, FEATURES))
        return cls(words_NT.astype(np.int32), features_NF.astype(np.float32))


def vocabulary() -> Vocabulary:
    """1,004 words, the special ones first."""
    return Vocabulary([*SPECIAL, *map(str, range(VOCAB - len(SPECIAL)))])


def about() -> AboutCaptions:
    """What made-up data say of a captioner."""
    return AboutCaptions(vocabulary().words, (FEATURES,), CAPTIONS)


def captioning(config: CaptionConfig) -> Captioning:
    """jaxgen's training of a captioner on made-up data."""
    return config.captioning(about())


def comparisons() -> list[Comparison]:
    """A step of each captioner at both batch sizes."""
    found = []
    for name, base in CONFIGS.items():
        for batch in BATCHES:
            config = replace(base, batch_size=batch)
            count = partial(_flops, config)
            title = f"{name} captioner training step, batch {batch}"
            found.append(Comparison(title, partial(_contenders, config), count, CAPACITY))
    return found


def _task(config: CaptionConfig) -> Task:
    ours, data = captioning(config), Data.made()
    source = Source.of({"captions": data.captions, "features": data.features})
    return Task(source=source, init=ours.init, step=ours.step, show=lambda state: None)


def _contenders(config: CaptionConfig, settings: Settings) -> list[Contender]:
    contenders = [training_loop.in_loop(_task(config), config, CAPACITY)]
    if isinstance(config.captioner, RNN):
        contenders.append(_numpy_training(config))
    return [*contenders, _torch_training(config)]


def _numpy_training(config: CaptionConfig) -> Contender:
    from benchmarks import numpy_rnn

    data, rng = Data.made(), np.random.default_rng(0)
    batch = {"captions": data.captions[:1], "features": data.features[:1]}
    initial = captioning(config).init(jax.random.key(config.seed), batch).params
    params = {name: np.array(array) for name, array in initial.items()}
    adam = numpy_rnn.Adam(params, config.optimizer.learning_rate)

    def run(count: int) -> None:
        for _ in range(count):
            rows_N = rng.integers(CAPTIONS, size=config.batch_size)
            numpy_rnn.step(params, adam, data.features[rows_N], data.captions[rows_N])

    return Contender("NumPy", run)


def _torch_training(config: CaptionConfig) -> Contender:
    import torch

    from benchmarks import torch_captioners

    data = Data.made()
    features, captions = torch.from_numpy(data.features), torch.from_numpy(data.captions).long()
    network = torch_captioners.twin(config.captioner, VOCAB, FEATURES)
    optimizer = torch.optim.Adam(network.parameters(), config.optimizer.learning_rate)

    def run(count: int) -> None:
        for _ in range(count):
            rows_N = torch.randint(CAPTIONS, (config.batch_size,))
            torch_captioners.step(network, optimizer, features[rows_N], captions[rows_N])

    return Contender("PyTorch", run)


def _flops(config: CaptionConfig) -> Flops:
    """Of a step; by hand where there is a loop over time, whose turns XLA does not count."""
    if isinstance(config.captioner, Transformer):
        return training_loop.flops(_task(config), config)
    gates = 4 if isinstance(config.captioner, LSTM) else 1
    hidden, word = config.captioner.hidden, config.captioner.word_size
    each_word = hidden * gates * (word + hidden) + hidden * VOCAB
    # Forward, and both factors' gradients; that of the features is not needed.
    products = 3 * (TOKENS - 1) * each_word + 2 * FEATURES * hidden
    return Flops(2.0 * config.batch_size * products, "by hand")
