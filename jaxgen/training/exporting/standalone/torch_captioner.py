"""The captioner of this folder as a PyTorch module; needs PyTorch and safetensors.

    from torch_captioner import load
    words, log_probability = load().greedy(features)  # (N, L) and (N,), for features (N, ...)

`python torch_captioner.py` compares it with what the exported model made. The Transformer is the
course's `CaptioningTransformer` (CS231n, assignment 3). `python torch_captioner.py --onnx FILE`
writes ONNX of the scores (N, T, V) that follow captions (N, T), for any N and T (it needs onnx,
onnxscript and onnxruntime).
"""

import math
import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

FOLDER = Path(__file__).resolve().parent
TOLERANCE = 0.0
SIZES = {}


class Recurrent(nn.Module):
    """An RNN or an LSTM whose first hidden state the image's features set."""

    def __init__(self, sizes):
        super().__init__()
        cells = nn.LSTM if sizes["kind"] == "LSTM" else nn.RNN
        self.project = nn.Linear(sizes["features"], sizes["hidden"])
        self.embed = nn.Embedding(sizes["vocab_size"], sizes["word_size"])
        self.cells = cells(sizes["word_size"], sizes["hidden"], batch_first=True)
        self.scores = nn.Linear(sizes["hidden"], sizes["vocab_size"])

    def forward(self, features, captions):
        """Scores (N, T, V) of the word after each."""
        h = self.project(features)[None]
        carry = (h, torch.zeros_like(h)) if isinstance(self.cells, nn.LSTM) else h
        return self.scores(self.cells(self.embed(captions), carry)[0])


class MultiHeadAttention(nn.Module):
    """Scaled dot products over heads."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.key, self.query, self.value, self.proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, other, mask=None):
        """What x (N, T, D) attends to in other (N, S, D)."""
        q, k, v = (
            layer(of).view(*of.shape[:2], self.heads, -1).transpose(1, 2)
            for layer, of in ((self.query, x), (self.key, other), (self.value, other))
        )
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        return self.proj((scores.softmax(dim=3) @ v).transpose(1, 2).reshape(x.shape))


class Layer(nn.Module):
    """Attention to words and to the image, feed-forward; each added, then normalised."""

    def __init__(self, sizes):
        super().__init__()
        width, inner = sizes["width"], sizes["feed_forward"]
        self.self_attn = MultiHeadAttention(width, sizes["heads"])
        self.multihead_attn = MultiHeadAttention(width, sizes["heads"])
        self.linear1, self.linear2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, x, memory, mask):
        """The words' vectors after this layer."""
        x = self.norm1(x + self.self_attn(x, x, mask))
        x = self.norm2(x + self.multihead_attn(x, memory))
        return self.norm3(x + self.linear2(torch.relu(self.linear1(x))))


class Positions(nn.Module):
    """The table of sines and cosines."""

    def __init__(self, sizes):
        super().__init__()
        self.register_buffer("pe", torch.zeros(1, sizes["max_length"], sizes["width"]))


class Layers(nn.Module):
    """The decoder's layers."""

    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes["layers"]))


class CaptioningTransformer(nn.Module):
    """A decoder whose memory is the projected features, one token or several."""

    def __init__(self, sizes):
        super().__init__()
        self.visual_projection = nn.Linear(sizes["features"], sizes["width"])
        self.embedding = nn.Embedding(
            sizes["vocab_size"], sizes["width"], padding_idx=sizes["null"]
        )
        self.positional_encoding = Positions(sizes)
        self.transformer = Layers(sizes)
        self.output = nn.Linear(sizes["width"], sizes["vocab_size"])

    def forward(self, features, captions):
        """Scores (N, T, V) of the word after each."""
        steps = captions.shape[1]
        memory = self.visual_projection(features)
        memory = memory[:, None] if memory.ndim == 2 else memory
        x = self.embedding(captions) + self.positional_encoding.pe[:, :steps]
        mask = torch.ones(steps, steps, dtype=torch.bool).tril()
        for layer in self.transformer.layers:
            x = layer(x, memory, mask)
        return self.output(x)


@torch.no_grad()
def greedy(module, features):
    """The best word each time: words (N, L), NULL behind END, and their log-probability (N,)."""
    n = len(features)
    words = torch.full((n, 1), SIZES["start"])
    total, ended = torch.zeros(n), torch.zeros(n, dtype=torch.bool)
    for _ in range(SIZES["max_length"]):
        scores = module(features, words)[:, -1]
        allowed = scores.clone()
        allowed[:, [SIZES["null"], SIZES["start"]]] = -math.inf
        best = torch.where(ended, SIZES["null"], allowed.argmax(dim=1))
        probability = scores.log_softmax(dim=1).gather(1, best[:, None])[:, 0]
        total = total + torch.where(ended, 0.0, probability)
        words, ended = torch.cat([words, best[:, None]], dim=1), ended | (best == SIZES["end"])
    return words[:, 1:], total


def captioner():
    """The module, with PyTorch's random weights."""
    return (CaptioningTransformer if SIZES["kind"] == "Transformer" else Recurrent)(SIZES)


def load(folder=FOLDER):
    """The module with the weights of a folder; it has a method `greedy` too."""
    module = captioner()
    module.load_state_dict(load_file(Path(folder) / "torch_captioner.safetensors"))
    module.greedy = lambda features: greedy(module, features)
    return module.eval()


def check(folder=FOLDER):
    """The largest difference in log-probability from what the exported model made.

    It is infinite where words differ.
    """
    stored = load_file(Path(folder) / "check.safetensors")
    words, total = load(folder).greedy(stored["inputs.features"])
    if not torch.equal(words.int(), stored["outputs.words"]):
        return math.inf
    return float((total - stored["outputs.log_probability"]).abs().max())


def to_onnx(path, folder=FOLDER):
    """Write ONNX, and return the largest difference from the scores of this module."""
    import onnxruntime

    stored, module = load_file(Path(folder) / "check.safetensors"), load(folder)
    features, words = stored["inputs.features"], stored["outputs.words"].long()
    n, steps = torch.export.Dim("n"), torch.export.Dim("t")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch, about its own parts
        torch.onnx.export(
            module,
            (features, words),
            str(path),
            input_names=["features", "captions"],
            output_names=["scores"],
            dynamic_shapes=({0: n}, {0: n, 1: steps}),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {"features": features[:3].numpy(), "captions": words[:3, :-1].numpy()}
    (made,) = session.run(None, given)
    with torch.no_grad():
        expected = module(features[:3], words[:3, :-1])
    return float((torch.from_numpy(made) - expected).abs().max())


if __name__ == "__main__":
    worst = to_onnx(sys.argv[2]) if sys.argv[1:2] == ["--onnx"] else check()
    print(f"off by {worst:.2g}")
    sys.exit(worst > TOLERANCE)
