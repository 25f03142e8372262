"""The training of the captioners' PyTorch twins: a step, and captions of what was trained.

N batch, T time, L words of a generated caption, V vocabulary.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import torch_captioners
from benchmarks.torch_captioners import NULL
from benchmarks.torch_settings import adam, compiled, forward_in
from jaxgen.captioning import losses
from jaxgen.captioning.config import CaptionConfig
from jaxgen.captioning.losses import Reduction
from jaxgen.data.captions.base import Split
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.training.batches import epoch_indices

_ROWS = 256  # captions that are written, or measured, together

_DIVISORS: dict[Reduction, Callable[[Tensor], Any]] = {
    losses.sum_over_time: len,
    losses.mean_over_tokens: lambda is_real_NT: is_real_NT.sum().clamp(min=1),
    losses.mean_over_positions: torch.Tensor.numel,
}


class Training(NamedTuple):
    """A twin and its optimiser; a step changes them in place."""

    config: CaptionConfig
    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler | None
    """Of the learning rate; None where it is constant."""


def training(
    config: CaptionConfig, vocab_size: int, features: int, examples: int, is_compiled: bool = False
) -> Training:
    """The twin of a captioner before its first step.

    Args:
        config: of the experiment.
        vocab_size: V.
        features: numbers in an image's features, or in each token of them.
        examples: in an epoch.
        is_compiled: run it through torch.compile.

    Raises:
        JaxgenError: the captioner or the optimiser has no twin.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = torch_captioners.twin(config.captioner, vocab_size, features, config.max_length)
    epoch = max(1, examples // config.batch_size)
    optimizer, schedule = adam(network, config.optimizer, config.steps, epoch)
    return Training(config, compiled(network) if is_compiled else network, optimizer, schedule)


def token_losses(network: nn.Module, features: Tensor, captions_NT: Tensor) -> Tensor:
    """Cross-entropy of each word after the first, (N, T - 1); 0 where it is NULL."""
    targets_NT = captions_NT[:, 1:]
    logits_NTV = network(features, captions_NT[:, :-1])
    loss_R = F.cross_entropy(
        logits_NTV.flatten(0, 1), targets_NT.flatten(), ignore_index=NULL, reduction="none"
    )
    return loss_R.view(targets_NT.shape)


def loss(
    config: CaptionConfig, network: nn.Module, features: Tensor, captions_NT: Tensor
) -> Tensor:
    """What the training minimises, a scalar, in the precision that it names."""
    with forward_in(config.precision):
        loss_NT = token_losses(network, features, captions_NT)
        return loss_NT.sum() / _DIVISORS[config.loss](captions_NT[:, 1:] != NULL)


def step(training: Training, features: Tensor, captions_NT: Tensor) -> Tensor:
    """One update of the network; the loss before it."""
    training.optimizer.zero_grad()
    value = loss(training.config, training.network, features, captions_NT)
    value.backward()
    training.optimizer.step()
    if training.schedule:
        training.schedule.step()
    return value.detach()


def train(training: Training, split: Split) -> Iterator[Tensor]:
    """Trains for `config.steps` on the batches that jaxgen sees, and yields each step's loss.

    Args:
        training: changed in place.
        split: whose captions and features, in memory, it is trained on.
    """
    config = training.config
    captions_NT = torch.from_numpy(split.captions["captions"]).long()
    image_N = torch.from_numpy(split.captions["image_index"]).long()
    features = torch.from_numpy(split.features.array)
    batches = epoch_indices(len(captions_NT), config.batch_size, config.seed, 0, config.steps)
    torch.manual_seed(config.seed)  # of the dropout
    for index_N in map(torch.from_numpy, batches):
        yield step(training, features[image_N[index_N]], captions_NT[index_N])


class TwinWriter:
    """What `jaxgen.captioning.writing.Writer` is to jaxgen's measurements, of a twin."""

    def __init__(self, config: CaptionConfig, vocabulary: Vocabulary) -> None:
        """Take how long captions may get and the precision, and the words."""
        self._config, self._vocabulary = config, vocabulary

    def sentences(
        self, network: nn.Module, features: np.ndarray, decoding: Any, seed: int = 0
    ) -> list[str]:
        """The greedy caption of each image; `decoding` and `seed` are those of a `Writer`."""
        length, vocabulary = self._config.max_length, self._vocabulary

        def written(some: Tensor) -> list[str]:
            words_NL = network.greedy(some, length, vocabulary.end).numpy()
            return [vocabulary.decode(words_L) for words_L in words_NL]

        return [each for part in self._in_parts(network, written, features) for each in part]

    def losses(
        self, network: nn.Module, features: np.ndarray, captions_NT: np.ndarray
    ) -> np.ndarray:
        """The loss of each token after the first, (N, T - 1); 0 where it is NULL."""

        def measured(some: Tensor, captions: Tensor) -> np.ndarray:
            return token_losses(network, some, captions.long()).float().numpy()

        return np.concatenate(self._in_parts(network, measured, features, captions_NT))

    @torch.no_grad()
    def _in_parts(
        self, network: nn.Module, function: Callable[..., Any], *arrays: np.ndarray
    ) -> list[Any]:
        network.eval()
        parts = zip(*(torch.from_numpy(array).split(_ROWS) for array in arrays), strict=True)
        with forward_in(self._config.precision):
            found = [function(*some) for some in parts]
        network.train()
        return found
