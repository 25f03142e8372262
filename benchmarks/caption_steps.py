"""Training steps of the captioners beside NumPy's and PyTorch's.

Three have the notebooks' sizes; the fourth is the experiment's Transformer, which reads a grid.
Captions and features are made up: 512-wide features, or a grid of 16 tokens of 128 numbers; 1,004
words, 17 tokens a caption.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import jax
import numpy as np

from benchmarks import training_loop
from benchmarks.measuring import Comparison, Contender, Flops, Settings
from benchmarks.precisions import DEFAULT, Wanted, beside_torch, titled
from experiments import caption_transformer
from jaxgen.captioning import losses
from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.step import Captioning
from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.data.scenes.captions import Scenes
from jaxgen.training.optimizers import Optimizer
from jaxgen.training.task import Source, Task

VOCAB, TOKENS, FEATURES, CAPTIONS = 1004, 17, 512, 1280
GRID = 16, 128
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
    "grid Transformer": caption_transformer.config,
}


@dataclass(frozen=True)
class Data:
    """Made-up captions (N, 17), START first, and features (N, ...), one row for each."""

    captions: np.ndarray
    features: np.ndarray

    @classmethod
    def made(cls, feature_shape: tuple[int, ...] = (FEATURES,)) -> "Data":
        """Random words, 8 to 15 a caption, then END and NULLs."""
        rng = np.random.default_rng(0)
        words_NT = rng.integers(len(SPECIAL), VOCAB, (CAPTIONS, TOKENS))
        ends_N1 = rng.integers(9, TOKENS, (CAPTIONS, 1))
        words_NT[:, 0] = vocabulary().start
        position_1T = np.arange(TOKENS)[None]
        words_NT = np.where(position_1T == ends_N1, vocabulary().end, words_NT)
        words_NT = np.where(position_1T > ends_N1, vocabulary().null, words_NT)
        features = rng.normal(size=(CAPTIONS, *feature_shape))
        return cls(words_NT.astype(np.int32), features.astype(np.float32))

    @classmethod
    def of(cls, config: CaptionConfig) -> "Data":
        """Those that a captioner reads."""
        return cls.made(feature_shape(config))


def feature_shape(config: CaptionConfig) -> tuple[int, ...]:
    """Of the features that a captioner reads."""
    is_grid = isinstance(config.data, Scenes) and config.data.features == "grid"
    return GRID if is_grid else (FEATURES,)


def vocabulary() -> Vocabulary:
    """1,004 words, the special ones first."""
    return Vocabulary([*SPECIAL, *map(str, range(VOCAB - len(SPECIAL)))])


def about(config: CaptionConfig) -> AboutCaptions:
    """What made-up data say of a captioner."""
    return AboutCaptions(vocabulary().words, feature_shape(config), CAPTIONS)


def captioning(config: CaptionConfig) -> Captioning:
    """jaxgen's training of a captioner on made-up data."""
    return config.captioning(about(config))


def comparisons(wanted: Wanted = DEFAULT) -> list[Comparison]:
    """A step of each captioner at both batch sizes."""
    found = []
    batch_sizes = wanted.batch_sizes or BATCHES
    for name, batch, precision in product(CONFIGS, batch_sizes, wanted.precisions):
        config = replace(CONFIGS[name], batch_size=batch, precision=precision)
        found.append(
            Comparison(
                titled(f"{name} captioner training step, batch {batch}", precision),
                partial(_contenders, config),
                partial(_flops, config),
                CAPACITY,
                precision,
            )
        )
    return found


def task_of(config: CaptionConfig) -> Task:
    """Its training, on made-up data."""
    ours, data = captioning(config), Data.of(config)
    source = Source.of({"captions": data.captions, "features": data.features})
    return Task(source=source, init=ours.init, step=ours.step, show=lambda state: None)


def _contenders(config: CaptionConfig, settings: Settings) -> list[Contender]:
    contenders = beside_torch(config, settings, _jaxgen_training, _torch_training)
    if isinstance(config.captioner, RNN) and config.precision == "float32":
        contenders.insert(1, _numpy_training(config))
    return contenders


def _jaxgen_training(config: CaptionConfig, name: str) -> Contender:
    return training_loop.in_loop(task_of(config), config, CAPACITY, name)


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


def _torch_training(
    config: CaptionConfig, settings: Settings, name: str, is_compiled: bool
) -> Contender:
    import torch

    from benchmarks import torch_captioning

    data = Data.of(config)
    features, captions = torch.from_numpy(data.features), torch.from_numpy(data.captions).long()
    width = data.features.shape[-1]
    training = torch_captioning.training(config, VOCAB, width, CAPTIONS, is_compiled=is_compiled)

    def run(count: int) -> None:
        for _ in range(count):
            rows_N = torch.randint(CAPTIONS, (config.batch_size,))
            torch_captioning.step(training, features[rows_N], captions[rows_N])

    return Contender(name, run, is_optional=is_compiled)


def _flops(config: CaptionConfig) -> Flops:
    """Of a step; by hand where there is a loop over time, whose turns XLA does not count."""
    if isinstance(config.captioner, Transformer):
        config = replace(config, precision="float32")
        return training_loop.flops(task_of(config), config)
    gates = 4 if isinstance(config.captioner, LSTM) else 1
    hidden, word = config.captioner.hidden, config.captioner.word_size
    each_word = hidden * gates * (word + hidden) + hidden * VOCAB
    # Forward, and both factors' gradients; that of the features is not needed.
    products = 3 * (TOKENS - 1) * each_word + 2 * FEATURES * hidden
    return Flops(2.0 * config.batch_size * products, "by hand")
