"""Captions of 30 words for 128 images: greedy beside PyTorch's, and beam search beside greedy.

No caption ends before its 30th word: special words are made hopeless, on both sides.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product

import jax
import numpy as np

from benchmarks.caption_steps import CONFIGS, VOCAB, Data, about, captioning
from benchmarks.measuring import Comparison, Contender, Flops, Settings, plain_flops
from benchmarks.precisions import DEFAULT, Wanted, both, titled, torch_name
from jaxgen.captioning.config import CaptionConfig
from jaxgen.captioning.decoding import Decoding
from jaxgen.data.captions.vocabulary import SPECIAL

IMAGES, LENGTH, BEAM = 128, 30, 3
HOPELESS = -1e9  # added to a score


def comparisons(wanted: Wanted = DEFAULT) -> list[Comparison]:
    """Decoding with each captioner."""
    found = []
    for name, precision in product(CONFIGS, wanted.precisions):
        config = replace(CONFIGS[name], batch_size=IMAGES, max_length=LENGTH, precision=precision)
        title = titled(f"{name} greedy decoding, {IMAGES} captions of {LENGTH} words", precision)
        found.append(
            Comparison(
                title, partial(_contenders, config), partial(_flops, config), precision=precision
            )
        )
    return found


def endless_params(config: CaptionConfig) -> dict:
    """Initial parameters of a captioner, NumPy arrays, with which it never ends a caption."""
    data = Data.of(config)
    batch = {"captions": data.captions[:1], "features": data.features[:1]}
    params = captioning(config).init(jax.random.key(config.seed), batch).params
    params = jax.tree.map(np.array, params)
    bias = params["b_vocab"] if "b_vocab" in params else params["output"]["bias"]
    bias[: len(SPECIAL)] += HOPELESS
    return params


def _contenders(config: CaptionConfig, settings: Settings) -> list[Contender]:
    import torch

    from benchmarks import torch_captioners
    from benchmarks.torch_settings import forward_in

    params = endless_params(config)
    features = Data.of(config).features[:IMAGES]
    network = torch_captioners.twin(config.captioner, VOCAB, features.shape[-1], LENGTH).eval()
    torch_captioners.copy_weights(network, params)
    on_device = jax.device_put(params)

    def decoder(form: CaptionConfig, decoding: Decoding) -> Callable[[int], None]:
        writer = form.writer(about(form))

        def decode(count: int) -> None:
            for _ in range(count):
                _check_length(writer.words(on_device, features, decoding))

        return decode

    def torch_decode(form: CaptionConfig, count: int) -> None:
        for _ in range(count):
            with forward_in(form.precision):
                _check_length(network.greedy(torch.from_numpy(features), LENGTH).numpy())

    is_recurrent = isinstance(network, torch_captioners.Recurrent)
    torch_does = "PyTorch" if is_recurrent else "PyTorch, whole prefix each time"
    forms = both(config)
    return [
        *(Contender(name, decoder(form, Decoding())) for name, form in forms),
        *(
            Contender(torch_name(torch_does, form.precision), partial(torch_decode, form))
            for _, form in reversed(forms)
        ),
        *(
            Contender(f"{name}, beam {BEAM}", decoder(form, Decoding(beam=BEAM)))
            for name, form in forms
        ),
    ]


def _check_length(words_NL: np.ndarray) -> None:
    if words_NL.shape != (IMAGES, LENGTH) or words_NL.min() < len(SPECIAL):
        raise RuntimeError(f"a caption ended before its {LENGTH} words")


def _flops(config: CaptionConfig) -> Flops:
    """Of greedy decoding: the start, and the step so many times."""
    config = replace(config, precision="float32")
    module = captioning(config).module
    variables = {"params": endless_params(config)}
    features, words_N = Data.of(config).features[:IMAGES], np.zeros(IMAGES, np.int32)
    start = partial(module.apply, method="start")
    carry = jax.eval_shape(start, variables, features)
    step = plain_flops(partial(module.apply, method="step"), variables, carry, words_N)
    begin = plain_flops(start, variables, features)
    return Flops(begin.number + LENGTH * step.number, "XLA")
