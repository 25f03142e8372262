"""Captions of 30 words for 128 images: greedy beside PyTorch's, and beam search beside greedy.

No caption ends before its 30th word: special words are made hopeless, on both sides.
"""

from dataclasses import replace
from functools import partial

import jax
import numpy as np

from benchmarks.caption_steps import CONFIGS, FEATURES, VOCAB, Data, about, captioning
from benchmarks.measuring import Comparison, Contender, Flops, Settings, plain_flops
from jaxgen.captioning.config import CaptionConfig
from jaxgen.captioning.decoding import Decoding
from jaxgen.data.captions.vocabulary import SPECIAL

IMAGES, LENGTH, BEAM = 128, 30, 3
HOPELESS = -1e9  # added to a score


def comparisons() -> list[Comparison]:
    """Decoding with each captioner."""
    found = []
    for name, base in CONFIGS.items():
        config = replace(base, batch_size=IMAGES, max_length=LENGTH)
        title = f"{name} greedy decoding, {IMAGES} captions of {LENGTH} words"
        found.append(Comparison(title, partial(_contenders, config), partial(_flops, config)))
    return found


def endless_params(config: CaptionConfig) -> dict:
    """Initial parameters of a captioner, NumPy arrays, with which it never ends a caption."""
    data = Data.made()
    batch = {"captions": data.captions[:1], "features": data.features[:1]}
    params = captioning(config).init(jax.random.key(config.seed), batch).params
    params = jax.tree.map(np.array, params)
    bias = params["b_vocab"] if "b_vocab" in params else params["output"]["bias"]
    bias[: len(SPECIAL)] += HOPELESS
    return params


def _contenders(config: CaptionConfig, settings: Settings) -> list[Contender]:
    import torch

    from benchmarks import torch_captioners

    writer, params = config.writer(about()), endless_params(config)
    features_NF = Data.made().features[:IMAGES]
    network = torch_captioners.twin(config.captioner, VOCAB, FEATURES, LENGTH).eval()
    torch_captioners.copy_weights(network, params)
    on_device = jax.device_put(params)

    def decode(decoding: Decoding, count: int) -> None:
        for _ in range(count):
            _check_length(writer.words(on_device, features_NF, decoding))

    def torch_decode(count: int) -> None:
        for _ in range(count):
            _check_length(network.greedy(torch.from_numpy(features_NF), LENGTH).numpy())

    is_recurrent = isinstance(network, torch_captioners.Recurrent)
    return [
        Contender("jaxgen", partial(decode, Decoding())),
        Contender("PyTorch" if is_recurrent else "PyTorch, whole prefix each time", torch_decode),
        Contender(f"jaxgen, beam {BEAM}", partial(decode, Decoding(beam=BEAM))),
    ]


def _check_length(words_NL: np.ndarray) -> None:
    if words_NL.shape != (IMAGES, LENGTH) or words_NL.min() < len(SPECIAL):
        raise RuntimeError(f"a caption ended before its {LENGTH} words")


def _flops(config: CaptionConfig) -> Flops:
    """Of greedy decoding: the start, and the step so many times."""
    module = captioning(config).module
    variables = {"params": endless_params(config)}
    features_NF, words_N = Data.made().features[:IMAGES], np.zeros(IMAGES, np.int32)
    start = partial(module.apply, method="start")
    carry = jax.eval_shape(start, variables, features_NF)
    step = plain_flops(partial(module.apply, method="step"), variables, carry, words_N)
    begin = plain_flops(start, variables, features_NF)
    return Flops(begin.number + LENGTH * step.number, "XLA")
