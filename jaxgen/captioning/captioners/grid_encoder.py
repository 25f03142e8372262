"""Self-attention over the tokens of an image, for a decoder that attends to what comes of it.

Shapes: N batch, M tokens, D width, F feed-forward width.
"""

from typing import Any

import jax
from flax import linen as nn

from jaxgen.nn import ops
from jaxgen.nn.dropout import dropout
from jaxgen.nn.multi_head import MultiHeadAttention
from jaxgen.nn.precision import exact, rounded

Array = jax.Array

_KERNEL = nn.initializers.normal(0.02)


class GridEncoder(nn.Module):
    """A post-norm Transformer encoder over tokens, to each of which its place is added.

    Attributes:
        width: D.
        heads: of attention; they divide the width.
        feed_forward: F.
        layers: how many.
        dropout: rate; with `train=True` it draws from the "dropout" random stream.
        param_dtype: of the parameters and of the computation.

    Reference:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.1; places are learnt, as in
        Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929, section 3.1.
    """

    width: int
    heads: int
    feed_forward: int
    layers: int
    dropout: float
    param_dtype: Any

    @nn.compact
    def __call__(self, x_NMD: Array, train: bool = False) -> Array:
        place_MD = self.param("place", _KERNEL, x_NMD.shape[1:], self.param_dtype)
        x_NMD = rounded(exact(x_NMD) + place_MD[None])
        for index in range(self.layers):
            attention = MultiHeadAttention(
                self.width,
                self.heads,
                self.dropout,
                param_dtype=self.param_dtype,
                name=f"self_attn_{index}",
            )
            x_NMD = self._add(f"norm1_{index}", x_NMD, attention.attend_all(x_NMD, train), train)
            change_NMD = self._feed_forward(index, x_NMD, train)
            x_NMD = self._add(f"norm2_{index}", x_NMD, change_NMD, train)
        return x_NMD

    def _feed_forward(self, index: int, x_NMD: Array, train: bool) -> Array:
        inner, outer = (
            nn.Dense(
                width,
                kernel_init=_KERNEL,
                param_dtype=self.param_dtype,
                dot_general=ops.dot_general,
                name=f"linear{number}_{index}",
            )
            for number, width in ((1, self.feed_forward), (2, self.width))
        )
        hidden_NMF = nn.relu(rounded(ops.over_rows(inner, x_NMD)))
        return ops.over_rows(outer, self._dropout(hidden_NMF, train))

    def _add(self, name: str, x_NMD: Array, change_NMD: Array, train: bool) -> Array:
        # PyTorch's epsilon; the variance as the mean of squared deviations loses no digits.
        norm = nn.LayerNorm(
            epsilon=1e-5, use_fast_variance=False, param_dtype=self.param_dtype, name=name
        )
        return rounded(norm(exact(x_NMD) + self._dropout(change_NMD, train)))

    def _dropout(self, x: Array, train: bool) -> Array:
        key = None if not train or self.dropout == 0 else self.make_rng("dropout")
        return dropout(x, self.dropout, key)
