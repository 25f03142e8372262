"""One layer of a post-norm Transformer decoder.

Shapes: N batch, T time, M memory tokens, D width, F feed-forward width,
B beams, L places of the cache.
"""

from typing import Any

import jax
from flax import linen as nn

from jaxgen.nn import ops
from jaxgen.nn.dropout import dropout
from jaxgen.nn.multi_head import KeysAndValues, MultiHeadAttention
from jaxgen.nn.precision import exact, rounded

Array = jax.Array

_KERNEL = nn.initializers.normal(0.02)


class DecoderLayer(nn.Module):
    """Self-attention, attention to the memory and feed-forward, each added and then normalised.

    Attributes: see `TransformerCaptioner`.

    Reference:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.1.
    """

    width: int
    heads: int
    feed_forward: int
    dropout: float
    window: int | None
    rank: int | None
    param_dtype: Any

    def setup(self) -> None:
        attention: dict[str, Any] = {"dropout": self.dropout, "param_dtype": self.param_dtype}
        self.self_attn = MultiHeadAttention(
            self.width, self.heads, window=self.window, rank=self.rank, **attention
        )
        self.cross_attn = MultiHeadAttention(self.width, self.heads, **attention)
        dense: dict[str, Any] = {
            "kernel_init": _KERNEL,
            "param_dtype": self.param_dtype,
            "dot_general": ops.dot_general,
        }
        self.linear1 = nn.Dense(self.feed_forward, **dense)
        self.linear2 = nn.Dense(self.width, **dense)
        # PyTorch's epsilon; the variance as the mean of squared deviations loses no digits.
        norm: dict[str, Any] = {
            "epsilon": 1e-5,
            "use_fast_variance": False,
            "param_dtype": self.param_dtype,
        }
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(**norm) for _ in range(3))

    def __call__(self, x_NTD: Array, memory_NMD: Array, train: bool = False) -> Array:
        x_NTD = self._add(self.norm1, x_NTD, self.self_attn.attend_past(x_NTD, train), train)
        attended_NTD = self.cross_attn(x_NTD, memory_NMD, None, train)
        return self._finish(x_NTD, attended_NTD, train)

    def keep_memory(self, memory_NMD: Array) -> KeysAndValues:
        """Keys and values of the memory, for `step`."""
        return self.cross_attn.keep_memory(memory_NMD)

    def step(
        self,
        x_NBD: Array,
        memory: KeysAndValues,
        past: KeysAndValues,
        mask_NBLB: Array,
        t: int | Array,
    ) -> tuple[Array, KeysAndValues]:
        """One new position of each beam, as `MultiHeadAttention.attend_cache` describes it."""
        attended_NBD, past = self.self_attn.attend_cache(x_NBD, past, mask_NBLB, t)
        x_NBD = self._add(self.norm1, x_NBD, attended_NBD, train=False)
        attended_NBD = self.cross_attn.attend_kept(x_NBD, memory)
        return self._finish(x_NBD, attended_NBD, train=False), past

    def _finish(self, x_NTD: Array, attended_NTD: Array, train: bool) -> Array:
        x_NTD = self._add(self.norm2, x_NTD, attended_NTD, train)
        hidden_NTF = nn.relu(rounded(ops.over_rows(self.linear1, x_NTD)))
        change_NTD = ops.over_rows(self.linear2, self._dropout(hidden_NTF, train))
        return self._add(self.norm3, x_NTD, change_NTD, train)

    def _add(self, norm: nn.LayerNorm, x_NTD: Array, change_NTD: Array, train: bool) -> Array:
        return rounded(norm(exact(x_NTD) + self._dropout(change_NTD, train)))

    def _dropout(self, x: Array, train: bool) -> Array:
        key = None if not train or self.dropout == 0 else self.make_rng("dropout")
        return dropout(x, self.dropout, key)
