"""NumPy twin of the vanilla RNN captioner: loss, hand-written gradients, Adam.

Written as in the course's captioning notebooks (CS231n, assignment 3): a Python loop over time in
both directions, one small matrix product a step, biases and words added up as they come. The arrays
are those of jaxgen's `RNNCaptioner`, by the same names: W_embed, Wx, Wh, b, W_vocab, b_vocab,
W_proj, b_proj.

N batch, T time, D word vector, H hidden, V vocabulary, F feature.
"""

import numpy as np

Arrays = dict[str, np.ndarray]


def loss_and_gradients(
    params: Arrays, features_NF: np.ndarray, captions_NT: np.ndarray, null: int = 0
) -> tuple[float, Arrays]:
    """Loss of a batch and its gradient with respect to each array.

    Args:
        params: of the captioner.
        features_NF: of the captions' images.
        captions_NT: words, START first.
        null: the word that pads captions.

    Returns:
        Cross-entropy summed over time, averaged over the batch; gradients by the names of params.
    """
    read_NT, targets_NT = captions_NT[:, :-1], captions_NT[:, 1:]
    h0_NH = features_NF @ params["W_proj"] + params["b_proj"]
    x_NTD = params["W_embed"][read_NT]
    h_NTH = _forward(params, x_NTD, h0_NH)
    logits_NTV = _affine(h_NTH, params["W_vocab"]) + params["b_vocab"]
    loss, dlogits_NTV = _softmax_loss(logits_NTV, targets_NT, targets_NT != null)

    dh_NTH = _affine(dlogits_NTV, params["W_vocab"].T)
    gradients = {
        "W_vocab": _flat(h_NTH).T @ _flat(dlogits_NTV),
        "b_vocab": dlogits_NTV.sum(axis=(0, 1)),
    }
    dx_NTD, dh0_NH, recurrent = _backward(params, x_NTD, h0_NH, h_NTH, dh_NTH)
    gradients |= recurrent
    gradients["W_embed"] = np.zeros_like(params["W_embed"])
    np.add.at(gradients["W_embed"], read_NT, dx_NTD)
    gradients["W_proj"] = features_NF.T @ dh0_NH
    gradients["b_proj"] = dh0_NH.sum(axis=0)
    return float(loss), gradients


def _forward(params: Arrays, x_NTD: np.ndarray, h_NH: np.ndarray) -> np.ndarray:
    h_NTH = np.empty((*x_NTD.shape[:2], h_NH.shape[1]), x_NTD.dtype)
    for t in range(x_NTD.shape[1]):
        h_NH = np.tanh(x_NTD[:, t] @ params["Wx"] + h_NH @ params["Wh"] + params["b"])
        h_NTH[:, t] = h_NH
    return h_NTH


def _backward(
    params: Arrays, x_NTD: np.ndarray, h0_NH: np.ndarray, h_NTH: np.ndarray, dh_NTH: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Arrays]:
    dx_NTD, dnext_NH = np.empty_like(x_NTD), np.zeros_like(h0_NH)
    gradients = {name: np.zeros_like(params[name]) for name in ("Wx", "Wh", "b")}
    for t in reversed(range(x_NTD.shape[1])):
        before_NH = h_NTH[:, t - 1] if t else h0_NH
        da_NH = (dh_NTH[:, t] + dnext_NH) * (1 - h_NTH[:, t] ** 2)
        dx_NTD[:, t] = da_NH @ params["Wx"].T
        dnext_NH = da_NH @ params["Wh"].T
        gradients["Wx"] += x_NTD[:, t].T @ da_NH
        gradients["Wh"] += before_NH.T @ da_NH
        gradients["b"] += da_NH.sum(axis=0)
    return dx_NTD, dnext_NH, gradients


def _softmax_loss(
    logits_NTV: np.ndarray, targets_NT: np.ndarray, is_real_NT: np.ndarray
) -> tuple[float, np.ndarray]:
    """The loss and its gradient with respect to the logits."""
    logits_RV, targets_R, is_real_R = _flat(logits_NTV), targets_NT.ravel(), is_real_NT.ravel()
    batch, rows_R = len(targets_NT), np.arange(len(targets_R))
    probabilities_RV = np.exp(logits_RV - logits_RV.max(axis=1, keepdims=True))
    probabilities_RV /= probabilities_RV.sum(axis=1, keepdims=True)
    loss = -np.sum(is_real_R * np.log(probabilities_RV[rows_R, targets_R])) / batch
    dlogits_RV = probabilities_RV
    dlogits_RV[rows_R, targets_R] -= 1
    dlogits_RV /= batch
    dlogits_RV *= is_real_R[:, None]
    return loss, dlogits_RV.reshape(logits_NTV.shape)


def _flat(x_NTD: np.ndarray) -> np.ndarray:
    return x_NTD.reshape(-1, x_NTD.shape[-1])


def _affine(x_NTD: np.ndarray, kernel_DE: np.ndarray) -> np.ndarray:
    return (_flat(x_NTD) @ kernel_DE).reshape(*x_NTD.shape[:2], -1)


class Adam:
    """Adam array by array, as the notebook's solver runs it; b1 0.9, b2 0.999, epsilon 1e-8."""

    def __init__(self, params: Arrays, learning_rate: float) -> None:
        self._rate, self._t = learning_rate, 0
        self._m = {name: np.zeros_like(array) for name, array in params.items()}
        self._v = {name: np.zeros_like(array) for name, array in params.items()}

    def update(self, params: Arrays, gradients: Arrays) -> None:
        """Replaces each array in `params` by its next value."""
        self._t += 1
        for name, gradient in gradients.items():
            self._m[name] = 0.9 * self._m[name] + (1 - 0.9) * gradient
            self._v[name] = 0.999 * self._v[name] + (1 - 0.999) * gradient**2
            m = self._m[name] / (1 - 0.9**self._t)
            v = self._v[name] / (1 - 0.999**self._t)
            params[name] = params[name] - self._rate * m / (np.sqrt(v) + 1e-8)


def step(
    params: Arrays, adam: Adam, features_NF: np.ndarray, captions_NT: np.ndarray, null: int = 0
) -> float:
    """One update of `params`; the loss before it."""
    loss, gradients = loss_and_gradients(params, features_NF, captions_NT, null)
    adam.update(params, gradients)
    return loss
