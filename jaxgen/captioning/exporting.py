"""What a trained captioner gives so that it can be exported: greedy decoding, and its words.

N captions, L words of a caption, V vocabulary.
"""

import json
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.captioning import torch_captioners
from jaxgen.captioning.decoding.captioner_steps import ban
from jaxgen.captioning.decoding.word_by_word import greedy
from jaxgen.captioning.writing import Writer
from jaxgen.nn.precision import highest
from jaxgen.training.exporting.exportable import (
    Arrays,
    Exportable,
    Program,
    TorchForm,
    Words,
    flat,
    nested,
)
from jaxgen.training.exporting.stablehlo import source
from jaxgen.training.task import Saved, TrainConfig

PyTree = Any

_ROWS, _CANDIDATES = 4, 64
_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.3}
"""Of the log-probability of a whole caption: rounding, where a machine adds up in another order."""
_TORCH = "torch_captioner.py"


def exportable(
    config: TrainConfig,
    writer: Writer,
    feature_shape: tuple[int, ...],
    params: PyTree,
    saved: Saved,
) -> Exportable:
    """A captioner, ready to be written.

    Args:
        config: that it was trained with.
        writer: how it captions.
        feature_shape: of one image's features.
        params: of the captioner.
        saved: what its run holds.
    """

    def call(arrays: Arrays, inputs: Arrays) -> Arrays:
        variables = {"params": nested(arrays)["params"]}

        def apply(*args: Any, method: str) -> Any:
            return writer.module.apply(variables, *args, method=method)

        words_NL, log_probability_N = greedy(
            partial(apply, method="step"),
            apply(inputs["features"], method="start"),
            writer.special,
            writer.max_length,
        )
        return {"words": words_NL, "log_probability": log_probability_N}

    def torch() -> TorchForm:
        captioner = config.captioner  # type: ignore[attr-defined]
        arrays = torch_captioners.to_torch(captioner, flat(params), writer.max_length)
        vocabulary = writer.vocabulary
        told = torch_captioners.sizes(
            captioner, len(vocabulary), feature_shape[-1], writer.max_length
        ) | {"null": vocabulary.null, "start": vocabulary.start, "end": vocabulary.end}
        template = source(_TORCH)
        return TorchForm(
            arrays,
            template.replace("SIZES = {}", f"SIZES = {json.dumps(told)}").replace(
                "TOLERANCE = 0.0", f"TOLERANCE = {_TOLERANCE[config.precision]}"
            ),
        )

    shape = ", ".join(map(str, feature_shape))
    return Exportable(
        config=config,
        saved=saved,
        weights={"params": params},
        program=Program(
            "captioner",
            call,
            {"features": _features(writer, call, params, feature_shape)},
            _TOLERANCE[config.precision],
        ),
        torch=torch,
        words=Words(
            task="image-to-text",
            what=f"A captioner: the features ({shape}) of an image become a sentence of at most "
            f"{writer.max_length - 1} {writer.vocabulary.units} out of {len(writer.vocabulary)}. "
            "It reads features, not pictures: they have to come from where the training set's came "
            "from.",
            usage=f"sentences = model.caption(features)  # float32 (N, {shape})",
            limits=(
                "To tell somebody what is in a picture where an error does harm: it names things "
                "that are not there, and counts and relations are often wrong.",
                "To describe people, their health, origin or feelings, or to watch them.",
                "On features of another encoder or of other pictures than those above: it answers "
                "in the same confident sentences, and they mean nothing.",
            ),
        ),
    )


def _features(
    writer: Writer, call: Any, params: PyTree, feature_shape: tuple[int, ...]
) -> np.ndarray:
    """Features whose words no rounding can change: of some at random those that are clearest."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(_CANDIDATES, *feature_shape)).astype(np.float32)

    @jax.jit
    def margins(params: PyTree, features: jax.Array) -> jax.Array:
        arrays = {f"params.{name}": leaf for name, leaf in _flat_traced(params).items()}
        words_NL = call(arrays, {"features": features})["words"]
        start_N1 = jnp.full((_CANDIDATES, 1), writer.special.start, jnp.int32)
        read_NL = jnp.concatenate([start_N1, words_NL[:, :-1]], axis=1)
        logits_NLV: Any = writer.module.apply({"params": params}, features, read_NL)
        flat_RV = ban(logits_NLV.reshape(-1, logits_NLV.shape[-1]), writer.special)
        best_R2 = jax.lax.top_k(flat_RV, 2)[0]
        gap_NL = (best_R2[:, 0] - best_R2[:, 1]).reshape(words_NL.shape)
        return jnp.where(words_NL == writer.special.null, jnp.inf, gap_NL).min(axis=1)

    with highest():
        clear_N = np.asarray(margins(params, features))
    return features[np.sort(np.argsort(-clear_N, kind="stable")[:_ROWS])]


def _flat_traced(tree: PyTree) -> dict[str, Any]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
