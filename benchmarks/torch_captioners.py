"""PyTorch twins of the captioners: nn.RNN, nn.LSTM and a Transformer.

They are the models of the course's captioning notebooks (CS231n, assignment 3), with dropout in the
recurrent ones and any number of tokens for the Transformer to attend to.

`twin` builds one from jaxgen's configuration, with values drawn as jaxgen draws them;
`copy_weights` gives it jaxgen's weights. `torch_captioning` trains it.

N batch, T time, D word vector or width, H hidden or heads, K width of a head, V vocabulary,
F feature, M memory tokens.
"""

import math
from typing import Any

import numpy as np
import torch
from flax import traverse_util
from torch import Tensor, nn
from torch.nn import functional as F

from jaxgen.captioning.captioners.base import Captioner
from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.captioners.transformer import Transformer, positional_encoding
from jaxgen.captioning.torch_captioners import to_torch
from jaxgen.errors import JaxgenError

PyTree = Any

NULL, START = 0, 1


def twin(captioner: Captioner, vocab_size: int, features: int, max_length: int = 30) -> nn.Module:
    """A captioner of the same sizes, in training mode.

    Args:
        captioner: RNN, LSTM or Transformer.
        vocab_size: V.
        features: F, numbers in an image's features, or in each token of them.
        max_length: of a caption, for the Transformer's positions.

    Raises:
        JaxgenError: there is no twin of it.
    """
    if isinstance(captioner, RNN | LSTM):
        return Recurrent(captioner, vocab_size, features)
    beyond = ("memory_tokens", 1), ("window", 0), ("rank", 0)
    if isinstance(captioner, Transformer) and all(getattr(captioner, k) == v for k, v in beyond):
        return TransformerTwin(captioner, vocab_size, features, max_length)
    raise JaxgenError(
        f"{captioner} has no PyTorch twin; RNN and LSTM have one, and Transformer with full "
        "attention that reads its features as they are"
    )


class Recurrent(nn.Module):
    """An RNN or an LSTM whose first hidden state the image's features set."""

    def __init__(self, captioner: RNN | LSTM, vocab_size: int, features: int) -> None:
        super().__init__()
        self.captioner = captioner
        kind, hidden = nn.RNN if isinstance(captioner, RNN) else nn.LSTM, captioner.hidden
        self.project = nn.Linear(features, hidden)
        self.embed = nn.Embedding(vocab_size, captioner.word_size)
        self.cells = kind(captioner.word_size, hidden, batch_first=True)
        self.scores = nn.Linear(hidden, vocab_size)
        self.drop = nn.Dropout(captioner.dropout)
        for name, parameter in self.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
            else:  # rows are outputs, but for the word vectors
                size = 0.01 if name == "embed.weight" else parameter.shape[1] ** -0.5
                nn.init.normal_(parameter, std=size)

    def forward(self, features_NF: Tensor, captions_NT: Tensor) -> Tensor:
        """Scores of the next words, (N, T, V)."""
        x_NTD = self.drop(self.embed(captions_NT))
        h_NTH, _ = self.cells(x_NTD, self._start(features_NF))
        return self.scores(self.drop(h_NTH))

    @torch.no_grad()
    def greedy(self, features_NF: Tensor, length: int, end: int | None = None) -> Tensor:
        """The best word each time, (N, length), or fewer if every caption has the word `end`.

        The recurrence goes on from where it stands.
        """
        carry, words = self._start(features_NF), [torch.full((len(features_NF), 1), START)]
        has_ended_N1 = torch.zeros_like(words[0], dtype=torch.bool)
        for _ in range(length):
            h_N1H, carry = self.cells(self.embed(words[-1]), carry)
            words.append(self.scores(h_N1H).argmax(dim=2))
            if end is not None:
                has_ended_N1 |= words[-1] == end
                if has_ended_N1.all():
                    break
        return torch.cat(words[1:], dim=1)

    def _start(self, features_NF: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        h_1NH = self.project(features_NF)[None]
        return (h_1NH, torch.zeros_like(h_1NH)) if isinstance(self.cells, nn.LSTM) else h_1NH


class Attention(nn.Module):
    """Scaled dot products over heads, dropout on the weights (Vaswani et al. 2017, 3.2)."""

    def __init__(self, width: int, heads: int, rate: float) -> None:
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(rate)
        self.query, self.key, self.value, self.proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x_NTD: Tensor, other_NSD: Tensor, mask_TS: Tensor | None = None) -> Tensor:
        """What rows of x attend to in others, (N, T, D); everything without a mask."""
        q_NHTK = self._split(self.query(x_NTD))
        k_NHSK, v_NHSK = self._split(self.key(other_NSD)), self._split(self.value(other_NSD))
        scores_NHTS = q_NHTK @ k_NHSK.transpose(2, 3) / math.sqrt(q_NHTK.shape[-1])
        if mask_TS is not None:
            scores_NHTS = scores_NHTS.masked_fill(~mask_TS, -math.inf)
        mixed_NHTK = self.drop(scores_NHTS.softmax(dim=3)) @ v_NHSK
        return self.proj(mixed_NHTK.transpose(1, 2).reshape(x_NTD.shape))

    def _split(self, x_NTD: Tensor) -> Tensor:
        return x_NTD.view(*x_NTD.shape[:2], self.heads, -1).transpose(1, 2)


class Layer(nn.Module):
    """Attention to words, to the image, feed-forward; each added, then normalised."""

    def __init__(self, width: int, heads: int, feed_forward: int, rate: float) -> None:
        super().__init__()
        self.self_attn, self.cross_attn = (Attention(width, heads, rate) for _ in range(2))
        self.linear1, self.linear2 = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.drop = nn.Dropout(rate)

    def forward(self, x_NTD: Tensor, memory_NMD: Tensor, mask_TT: Tensor) -> Tensor:
        """The words' vectors after this layer, (N, T, D)."""
        x_NTD = self.norm1(x_NTD + self.drop(self.self_attn(x_NTD, x_NTD, mask_TT)))
        x_NTD = self.norm2(x_NTD + self.drop(self.cross_attn(x_NTD, memory_NMD)))
        inner = self.drop(F.relu(self.linear1(x_NTD)))
        return self.norm3(x_NTD + self.drop(self.linear2(inner)))


class TransformerTwin(nn.Module):
    """Layers of a decoder whose memory is the projected feature vector, or vectors."""

    def __init__(
        self, captioner: Transformer, vocab_size: int, features: int, max_length: int
    ) -> None:
        super().__init__()
        self.captioner = captioner
        width, rate = captioner.width, captioner.dropout
        self.visual_projection = nn.Linear(features, width)
        self.embedding = nn.Embedding(vocab_size, width, padding_idx=NULL)
        self.drop = nn.Dropout(rate)
        self.layers = nn.ModuleList(
            Layer(width, captioner.heads, captioner.feed_forward, rate)
            for _ in range(captioner.layers)
        )
        self.output = nn.Linear(width, vocab_size)
        table = torch.from_numpy(positional_encoding(max_length, width)).float()
        self.register_buffer("positions_TD", table)
        for name, parameter in self.named_parameters():
            if name.startswith("output."):
                nn.init.uniform_(parameter, -(width**-0.5), width**-0.5)
            elif "norm" not in name:
                nn.init.normal_(parameter, std=0.02 if "weight" in name else 0.0)

    def forward(self, features: Tensor, captions_NT: Tensor) -> Tensor:
        """Scores of the next words, (N, T, V), for images of features (N, F) or (N, M, F)."""
        steps = captions_NT.shape[1]
        memory_NMD = self.visual_projection(features)
        if features.ndim == 2:
            memory_NMD = memory_NMD[:, None]
        x_NTD = self.drop(self.embedding(captions_NT) + self.positions_TD[:steps])
        mask_TT = torch.ones(steps, steps, dtype=torch.bool).tril()
        for layer in self.layers:
            x_NTD = layer(x_NTD, memory_NMD, mask_TT)
        return self.output(x_NTD)

    @torch.no_grad()
    def greedy(self, features: Tensor, length: int, end: int | None = None) -> Tensor:
        """The best word each time, (N, length), or fewer if every caption has the word `end`.

        As in the notebook, each comes from the whole prefix.
        """
        words_NT = torch.full((len(features), 1), START)
        for _ in range(length):
            best_N1 = self(features, words_NT)[:, -1].argmax(dim=1, keepdim=True)
            words_NT = torch.cat([words_NT, best_N1], dim=1)
            if end is not None and (words_NT == end).any(dim=1).all():
                break
        return words_NT[:, 1:]


@torch.no_grad()
def copy_weights(network: nn.Module, params: PyTree) -> None:
    """Sets a network to the parameters of the jaxgen captioner that it is the twin of.

    They are converted by jaxgen, whose Transformer for PyTorch has the names of the course's.
    """
    flat = traverse_util.flatten_dict(params, sep=".")
    values = {
        name.removeprefix("transformer.").replace("multihead_attn", "cross_attn"): array
        for name, array in to_torch(network.captioner, flat, max_length=1).items()
        if not name.startswith("positional_encoding")
    }
    own = dict(network.named_parameters())
    if own.keys() != values.keys():
        raise ValueError(f"parameters {own.keys() ^ values.keys()} have no counterpart")
    for name, parameter in own.items():
        parameter.copy_(torch.from_numpy(np.array(values[name])))
