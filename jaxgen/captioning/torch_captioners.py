"""The captioners' parameters under the names of PyTorch modules, both ways, in NumPy.

A recurrent captioner is an `nn.Linear` of the features, an `nn.Embedding`, an `nn.RNN` or `nn.LSTM`
and an `nn.Linear` to the scores. jaxgen's recurrence has one bias where PyTorch's has two, which
are added; gates stand in the order i, f, o, g, PyTorch's in i, f, g, o. The course's own arrays
(W_proj, Wx, ...) are read as they are. The Transformer has the names of the course's
`CaptioningTransformer`; those of PyTorch's `nn.TransformerDecoderLayer` are read too.

T time, D width or word vector, F feature, H hidden, V vocabulary.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.captioning.captioners.base import Captioner
from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.captioners.transformer import Transformer, positional_encoding
from jaxgen.errors import JaxgenError
from jaxgen.nn.torch_layout import Arrays, gates_from_torch, gates_to_torch, modules
from jaxgen.settings import flag, shortened

_POSITIONS = "positional_encoding.pe"
_OWN = ("W_proj", "b_proj", "W_embed", "Wx", "Wh", "b", "W_vocab", "b_vocab")
_SIZES = ("hidden", "word_size", "width", "heads", "layers", "feed_forward")
_LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias"}


@dataclasses.dataclass(frozen=True)
class Imported:
    """A captioner that was read."""

    captioner: Captioner
    """With the widths of the arrays."""
    params: dict[str, np.ndarray]
    """By dotted names."""
    vocab_size: int
    features: int
    """F."""
    positions: int | None
    """Places that it knows, None for any number."""


def to_torch(captioner: Captioner, params: Mapping[str, np.ndarray], max_length: int) -> Arrays:
    """The state dict of the PyTorch module.

    Args:
        captioner: whose parameters they are.
        params: by dotted names.
        max_length: places of the Transformer's positions.

    Raises:
        JaxgenError: there is no PyTorch form of this captioner.
    """
    if isinstance(captioner, RNN | LSTM):
        return _recurrent_to_torch(params)
    if not isinstance(captioner, Transformer) or _beyond(captioner):
        raise JaxgenError(
            f"there is no PyTorch form of {captioner}; rnn, lstm and a transformer with full "
            "attention that reads its features as they are have one"
        )
    made = {}
    for name, array in params.items():
        *parents, leaf = name.split(".")
        if leaf == "embedding":
            made["embedding.weight"] = np.ascontiguousarray(array)
            continue
        place = ".".join(parents).replace("cross_attn", "multihead_attn")
        place = re.sub(r"^layers_(\d+)", r"transformer.layers.\1", place)
        array = array.T if leaf == "kernel" else array
        made[f"{place}.{_LEAVES[leaf]}"] = np.ascontiguousarray(array)
    table_TD = positional_encoding(max_length, captioner.width).astype(np.float32)
    return made | {_POSITIONS: table_TD[None]}


def _beyond(captioner: Transformer) -> bool:
    """Whether it has a part that the PyTorch module lacks: a field that is not as by default."""
    fields = dataclasses.fields(captioner)
    changed = (f for f in fields if f.name not in _SIZES and f.name != "dropout")
    return any(getattr(captioner, field.name) != field.default for field in changed)


def from_torch(captioner: Captioner, arrays: Arrays) -> Imported:
    """Read a state dict.

    Args:
        captioner: of the kind that it is, with what a state dict does not tell: heads, dropout.
        arrays: float32, by their names in the file.

    Raises:
        JaxgenError: they are not those of such a captioner.
    """
    if isinstance(captioner, Transformer):
        return _transformer_from_torch(captioner, arrays)
    if not isinstance(captioner, RNN | LSTM):
        raise JaxgenError(f"no PyTorch weights are read for {captioner}")
    params = dict(arrays) if set(arrays) == set(_OWN) else _recurrent_from_torch(arrays)
    hidden, vocab_size = _shape(params, "W_vocab")
    _, word_size = _shape(params, "W_embed")
    gates = 4 if isinstance(captioner, LSTM) else 1
    if params["Wh"].shape != (hidden, gates * hidden):
        rows, columns = _shape(params, "Wh")
        kinds = {1: "rnn", 4: "lstm"}
        found = kinds.get(columns // max(rows, 1), "another recurrence")
        raise JaxgenError(
            f"the file holds a recurrent kernel of shape {(rows, columns)}: that is {found} of "
            f"width {rows}, not {kinds[gates]} of width {hidden}; give another --as"
        )
    return Imported(
        dataclasses.replace(captioner, hidden=hidden, word_size=word_size),
        params,
        vocab_size,
        params["W_proj"].shape[0],
        None,
    )


def _shape(params: Mapping[str, np.ndarray], name: str) -> tuple[int, int]:
    shape = params[name].shape
    if len(shape) != 2:
        raise JaxgenError(f"{name} has shape {shape} where a matrix is expected")
    return shape


def _recurrent_to_torch(params: Mapping[str, np.ndarray]) -> Arrays:
    hidden = params["Wh"].shape[0]
    bias = gates_to_torch(params["b"], hidden)
    return {
        "project.weight": np.ascontiguousarray(params["W_proj"].T),
        "project.bias": np.asarray(params["b_proj"]),
        "embed.weight": np.asarray(params["W_embed"]),
        "cells.weight_ih_l0": gates_to_torch(params["Wx"], hidden),
        "cells.weight_hh_l0": gates_to_torch(params["Wh"], hidden),
        "cells.bias_ih_l0": bias,
        "cells.bias_hh_l0": np.zeros_like(bias),
        "scores.weight": np.ascontiguousarray(params["W_vocab"].T),
        "scores.bias": np.asarray(params["b_vocab"]),
    }


_CELL = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}


def _recurrent_from_torch(arrays: Arrays) -> dict[str, np.ndarray]:
    """By what each module is, since everybody calls them otherwise."""
    found = modules(arrays)
    cells = [name for name, leaves in found.items() if set(leaves) == _CELL]
    embeddings = [name for name, leaves in found.items() if leaves == ["weight"]]
    dense = [name for name, leaves in found.items() if set(leaves) == {"weight", "bias"}]
    if (len(cells), len(embeddings), len(dense)) != (1, 1, 2) or len(found) != 4:
        told = "; ".join(
            f"{name or 'the module itself'}: {', '.join(x)}" for name, x in found.items()
        )
        raise JaxgenError(
            "a recurrent captioner is an nn.RNN or nn.LSTM of one layer and one direction with "
            "biases, an nn.Embedding and two nn.Linear, of the features and to the scores; or the "
            f"arrays {', '.join(_OWN)}; this file has {shortened(told, 300)}"
        )

    def of(module: str, leaf: str) -> np.ndarray:
        return arrays[f"{module}.{leaf}" if module else leaf]

    (cell,), (embedding,) = cells, embeddings
    hidden = of(cell, "weight_hh_l0").shape[1]
    words = of(embedding, "weight").shape[0]
    # The scores are of all words; where the features are projected to as many, the first one is
    # that, as modules are defined.
    is_scores = [of(name, "weight").shape == (words, hidden) for name in dense]
    if is_scores == [True, False]:
        dense = dense[::-1]
    project, scores = dense
    kernels = of(project, "weight"), of(scores, "weight")
    if kernels[0].shape[0] != hidden or kernels[1].shape != (words, hidden):
        raise JaxgenError(
            f"the nn.Linear of shapes {kernels[0].shape} and {kernels[1].shape} are no projection "
            f"to {hidden} and scores of {words} words"
        )
    return {
        "W_proj": np.ascontiguousarray(kernels[0].T),
        "b_proj": of(project, "bias"),
        "W_embed": of(embedding, "weight"),
        "Wx": gates_from_torch(of(cell, "weight_ih_l0"), hidden),
        "Wh": gates_from_torch(of(cell, "weight_hh_l0"), hidden),
        "b": gates_from_torch(of(cell, "bias_ih_l0") + of(cell, "bias_hh_l0"), hidden),
        "W_vocab": np.ascontiguousarray(kernels[1].T),
        "b_vocab": of(scores, "bias"),
    }


_RENAMED = (
    (r"^(?:transformer\.|decoder\.)?layers\.(\d+)\.", r"layers_\1."),
    (r"\.multihead_attn\.", ".cross_attn."),
    (r"_attn\.out_proj\.", "_attn.proj."),
)


def _transformer_from_torch(captioner: Transformer, arrays: Arrays) -> Imported:
    arrays, params = dict(arrays), {}
    table = next((arrays.pop(n) for n in (_POSITIONS, "positions_TD") if n in arrays), None)
    for name, array in arrays.items():
        for pattern, new in _RENAMED:
            name = re.sub(pattern, new, name)
        place, _, leaf = name.rpartition(".")
        if leaf in ("in_proj_weight", "in_proj_bias"):  # of nn.MultiheadAttention
            for part, some in zip(("query", "key", "value"), np.split(array, 3), strict=True):
                is_kernel = leaf == "in_proj_weight"
                own = some.T if is_kernel else some
                params[f"{place}.{part}.{'kernel' if is_kernel else 'bias'}"] = own
        elif place == "embedding":
            params["embedding"] = array
        elif leaf == "weight" and array.ndim == 2:
            params[f"{place}.kernel"] = array.T
        else:
            params[f"{place}.{'scale' if leaf == 'weight' else leaf}"] = array
    needed = ("embedding", "visual_projection.kernel", "layers_0.linear1.kernel", "output.kernel")
    if missing := [name for name in needed if name not in params or params[name].ndim != 2]:
        raise JaxgenError(
            f"the file has no {missing[0]}: a Transformer captioner has the names of the course's "
            "CaptioningTransformer (visual_projection, embedding, transformer.layers, output)"
        )
    vocab_size, width = params["embedding"].shape
    layers = {match[1] for name in params if (match := re.match(r"layers_(\d+)\.", name))}
    if table is not None:
        _refuse_other_positions(table.reshape(-1, table.shape[-1]), width)
    if width % captioner.heads:
        raise JaxgenError(
            f"{flag('captioner.heads')} {captioner.heads} do not divide a width of {width}; a "
            "state dict does not tell how many heads there were"
        )
    return Imported(
        dataclasses.replace(
            captioner,
            width=width,
            layers=len(layers),
            feed_forward=params["layers_0.linear1.kernel"].shape[1],
            memory_tokens=1,
            window=0,
            rank=0,
        ),
        {name: np.ascontiguousarray(array) for name, array in params.items()},
        vocab_size,
        params["visual_projection.kernel"].shape[0],
        None if table is None else table.reshape(-1, table.shape[-1]).shape[0],
    )


def _refuse_other_positions(table_TD: np.ndarray, width: int) -> None:
    same = table_TD.shape[1] == width and np.allclose(
        table_TD, positional_encoding(len(table_TD), width), atol=1e-4
    )
    if not same:
        raise JaxgenError(
            "the positions in the file are others than the sines and cosines of Vaswani et al. "
            "2017, which this captioner adds"
        )


def sizes(captioner: Captioner, vocab_size: int, features: int, max_length: int) -> dict[str, Any]:
    """What the source of the PyTorch module has to know."""
    kind = type(captioner).__name__
    own = dataclasses.asdict(captioner)  # type: ignore[call-overload]
    return {
        "kind": kind,
        "vocab_size": vocab_size,
        "features": features,
        "max_length": max_length,
        **{name: own[name] for name in _SIZES if name in own},
    }
