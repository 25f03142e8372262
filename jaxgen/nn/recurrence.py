"""Recurrences as pure functions: one step, and whole sequences, of a vanilla RNN and an LSTM.

Shapes: N batch, T time, R rows (T·N), D input, H hidden, G stacked gates and candidate (4·H), S the
gates alone (3·H).

The input projection of all steps is one matrix product before the scan over time. The scans have
hand-written derivatives, so that the recurrent kernel's gradient is one product after the backward
scan, where automatic differentiation would add up one per step.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.nn import batch_axis, ops
from jaxgen.nn.precision import exact, rounded, rounds

Array = jax.Array
States = tuple[Array, Array]
"""Hidden and cell, (N, H) each."""

# Steps per iteration of the compiled loop: less loop overhead for a little more to compile.
_UNROLL = 4


def rnn_step(x_ND: Array, h_NH: Array, Wx: Array, Wh: Array, b: Array) -> Array:
    """One vanilla step, h' = tanh(x Wx + h Wh + b).

    Args:
        x_ND: inputs of this step.
        h_NH: hidden state before it.
        Wx: (D, H) input kernel.
        Wh: (H, H) recurrent kernel.
        b: (H,) bias.

    Returns:
        The next hidden state, (N, H), in (-1, 1).
    """
    return jnp.tanh(ops.matmul(x_ND, Wx) + ops.matmul(h_NH, Wh) + b[None, :])


def rnn_sequence(x_NTD: Array, h0_NH: Array, Wx: Array, Wh: Array, b: Array) -> Array:
    """Run `rnn_step` over time from `h0_NH`.

    Args:
        x_NTD: inputs.
        h0_NH: hidden state before the first step.
        Wx: (D, H) input kernel.
        Wh: (H, H) recurrent kernel.
        b: (H,) bias.

    Returns:
        The hidden states after each step, (N, T, H).
    """
    a_TNH = _project_inputs(x_NTD, Wx, b)
    h_TNH: Any = _rnn_scan(_operand(Wh), a_TNH, h0_NH, Wh)
    return h_TNH.swapaxes(0, 1)


def lstm_step(
    x_ND: Array, h_NH: Array, c_NH: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, Array]:
    """One LSTM step, gates stacked in the order input, forget, output, candidate.

    Args:
        x_ND: inputs of this step.
        h_NH: hidden state before it.
        c_NH: cell state before it.
        Wx: (D, 4H) input kernel.
        Wh: (H, 4H) recurrent kernel.
        b: (4H,) bias.

    Returns:
        The next hidden and cell states, both (N, H).

    Reference:
        Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; the forget gate
        is of Gers et al. 2000, https://doi.org/10.1162/089976600300015015.
    """
    return lstm_update(ops.matmul(x_ND, Wx) + ops.matmul(h_NH, Wh) + b[None, :], c_NH)


def lstm_update(a_NG: Array, c_NH: Array) -> tuple[Array, Array]:
    """What `lstm_step` does with the sum of its products and bias, (N, 4H)."""
    return _update(*_activate(a_NG), c_NH)


def lstm_sequence(x_NTD: Array, h0_NH: Array, Wx: Array, Wh: Array, b: Array) -> Array:
    """Run `lstm_step` over time from `h0_NH` and a cell state of zeros.

    Args:
        x_NTD: inputs.
        h0_NH: hidden state before the first step.
        Wx: (D, 4H) input kernel.
        Wh: (H, 4H) recurrent kernel.
        b: (4H,) bias.

    Returns:
        The hidden states after each step, (N, T, H).
    """
    a_TNG = _project_inputs(x_NTD, Wx, b)
    h_TNH: Any = _lstm_scan(_operand(Wh), a_TNG, h0_NH, Wh)
    return h_TNH.swapaxes(0, 1)


def alternating_sum(x_NT: Array) -> Array:
    """Decide by a recurrence whether the even-position inputs outweigh the odd-position ones.

    After an even number of steps of h' = x - h, h is x_T - x_{T-1} + x_{T-2} - ... - x_1, which
    a steep sigmoid turns into an answer.

    Args:
        x_NT: real inputs; positions are counted from 1.

    Returns:
        (N,), near 1 where x_2 + x_4 + ... exceeds x_1 + x_3 + ..., near 0 where it falls short.

    Raises:
        ValueError: the number of steps is odd.
    """
    if x_NT.shape[1] % 2:
        raise ValueError(f"alternating_sum needs an even number of steps, got shape {x_NT.shape}")
    h_N, _ = jax.lax.scan(lambda h_N, x_N: (x_N - h_N, None), jnp.zeros_like(x_NT[:, 0]), x_NT.T)
    return jax.nn.sigmoid(500 * h_N)


def _project_inputs(x_NTD: Array, Wx: Array, b: Array) -> Array:
    x_TND = x_NTD.swapaxes(0, 1)
    projected = batch_axis.by_time(ops.matmul(batch_axis.rows(x_TND), Wx), len(x_TND))
    return rounded(projected + b[None, None, :])


def _operand(kernel: Array) -> Any:
    """The dtype of a recurrent kernel as an operand, and of what the scans keep of each step.

    To be asked for where the policy is known: the derivatives are traced later.
    """
    return jnp.bfloat16 if rounds() else kernel.dtype


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _rnn_scan(dtype: Any, a_TNH: Array, h0_NH: Array, Wh: Array) -> Array:
    Wh = Wh.astype(dtype)

    def step(h_NH: Array, a_NH: Array) -> tuple[Array, Array]:
        h_NH = jnp.tanh(a_NH + ops.einsum("nh,hk->nk", h_NH, Wh))
        return h_NH, h_NH.astype(dtype)

    return jax.lax.scan(step, h0_NH, a_TNH, unroll=_UNROLL)[1]


def _rnn_scan_forward(
    dtype: Any, a_TNH: Array, h0_NH: Array, Wh: Array
) -> tuple[Array, tuple[Array, ...]]:
    h_TNH: Any = _rnn_scan(dtype, a_TNH, h0_NH, Wh)
    return h_TNH, (h_TNH, h0_NH, Wh)


def _rnn_scan_backward(
    dtype: Any, residuals: tuple[Array, ...], dh_TNH: Array
) -> tuple[Array, Array, Array]:
    h_TNH, h0_NH, Wh = residuals
    Wh_operand = Wh.astype(dtype)

    def step(carried_NH: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        dh_NH, h_NH = map(exact, inputs)
        da_NH = (dh_NH + carried_NH) * (1 - h_NH * h_NH)
        return ops.einsum("nk,hk->nh", da_NH, Wh_operand), da_NH.astype(dtype)

    dh0_NH, da_TNH = jax.lax.scan(
        step, jnp.zeros_like(h0_NH), (dh_TNH, h_TNH), reverse=True, unroll=_UNROLL
    )
    return da_TNH, dh0_NH, _kernel_gradient(h0_NH, h_TNH, da_TNH)


_rnn_scan.defvjp(_rnn_scan_forward, _rnn_scan_backward)


def _activate(a_NG: Array) -> tuple[Array, Array]:
    """Input, forget and output gates, (N, S), and the candidate, (N, H)."""
    hidden = a_NG.shape[1] // 4
    return jax.nn.sigmoid(a_NG[:, : 3 * hidden]), jnp.tanh(a_NG[:, 3 * hidden :])


def _update(gates_NS: Array, g_NH: Array, c_NH: Array) -> tuple[Array, Array]:
    i_NH, f_NH, o_NH = jnp.split(gates_NS, 3, axis=1)
    c_NH = f_NH * c_NH + i_NH * g_NH
    return o_NH * jnp.tanh(c_NH), c_NH


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _lstm_scan(dtype: Any, a_TNG: Array, h0_NH: Array, Wh: Array) -> Array:
    return _lstm_scan_forward(dtype, a_TNG, h0_NH, Wh)[0]


def _lstm_scan_forward(
    dtype: Any, a_TNG: Array, h0_NH: Array, Wh: Array
) -> tuple[Array, tuple[Array, ...]]:
    Wh_operand = Wh.astype(dtype)

    def step(carry: States, a_NG: Array) -> tuple[States, tuple[Array, ...]]:
        h_NH, c_NH = carry
        gates_NS, g_NH = _activate(a_NG + ops.einsum("nh,hg->ng", h_NH, Wh_operand))
        h_NH, c_NH = _update(gates_NS, g_NH, c_NH)
        kept = tuple(x.astype(dtype) for x in (h_NH, c_NH, gates_NS, g_NH))
        return (h_NH, c_NH), kept

    start = (h0_NH, jnp.zeros_like(h0_NH))
    _, (h_TNH, c_TNH, gates_TNS, g_TNH) = jax.lax.scan(step, start, a_TNG, unroll=_UNROLL)
    return h_TNH, (h_TNH, c_TNH, gates_TNS, g_TNH, h0_NH, Wh)


def _lstm_scan_backward(
    dtype: Any, residuals: tuple[Array, ...], dh_TNH: Array
) -> tuple[Array, Array, Array]:
    h_TNH, c_TNH, gates_TNS, g_TNH, h0_NH, Wh = residuals
    Wh_operand = Wh.astype(dtype)
    c_TNH, gates_TNS, g_TNH = map(exact, (c_TNH, gates_TNS, g_TNH))
    previous_c_TNH = jnp.concatenate([jnp.zeros_like(c_TNH[:1]), c_TNH[:-1]])
    i_TNH, f_TNH, o_TNH = jnp.split(gates_TNS, 3, axis=-1)
    tanh_TNH = jnp.tanh(c_TNH)
    # Known before the scan for all steps, so that little is left to do one step after the other:
    # what turns the gradient of h into those of c and o, and that of c into those of i, f and g.
    factors_TNH = (
        o_TNH * (1 - tanh_TNH * tanh_TNH),
        tanh_TNH * o_TNH * (1 - o_TNH),
        g_TNH * i_TNH * (1 - i_TNH),
        previous_c_TNH * f_TNH * (1 - f_TNH),
        i_TNH * (1 - g_TNH * g_TNH),
    )
    factors_TNH = tuple(factor.astype(dtype) for factor in factors_TNH)

    def step(carry: States, inputs: tuple[Any, ...]) -> tuple[States, Array]:
        carried_NH, dc_NH = carry
        dh_NH, f_NH, (h_to_c_NH, h_to_o_NH, c_to_i_NH, c_to_f_NH, c_to_g_NH) = inputs
        dh_NH = dh_NH + carried_NH
        dc_NH = dc_NH + dh_NH * h_to_c_NH
        da_NG = jnp.concatenate(
            [dc_NH * c_to_i_NH, dc_NH * c_to_f_NH, dh_NH * h_to_o_NH, dc_NH * c_to_g_NH], axis=1
        )
        dh_NH = ops.einsum("ng,hg->nh", da_NG, Wh_operand)
        return (dh_NH, dc_NH * f_NH), da_NG.astype(dtype)

    zeros = jnp.zeros_like(h0_NH)
    (dh0_NH, _), da_TNG = jax.lax.scan(
        step,
        (zeros, zeros),
        (dh_TNH, f_TNH.astype(dtype), factors_TNH),
        reverse=True,
        unroll=_UNROLL,
    )
    return da_TNG, dh0_NH, _kernel_gradient(h0_NH, h_TNH, da_TNG)


_lstm_scan.defvjp(_lstm_scan_forward, _lstm_scan_backward)


def _kernel_gradient(h0_NH: Array, h_TNH: Array, da_TNG: Array) -> Array:
    previous_h_TNH = jnp.concatenate([h0_NH[None].astype(h_TNH.dtype), h_TNH[:-1]])
    # As a product of rows, for the reason that `ops.over_rows` has.
    previous_h_RH, da_RG = batch_axis.rows(previous_h_TNH), batch_axis.rows(da_TNG)
    return ops.einsum("rh,rg->hg", previous_h_RH, da_RG)
