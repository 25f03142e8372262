"""The generator of this folder as a PyTorch module; needs PyTorch and safetensors.

    from torch_generator import load
    images = load()(torch.rand(16, Z) * 2 - 1)  # (N, C, H, W) in [-1, 1]

Where it sees labels, their one-hot vectors stand behind the noise. `python torch_generator.py`
compares it with what the exported model made; `python torch_generator.py --onnx FILE` writes ONNX
for any number of rows (it needs onnx, onnxscript and onnxruntime).
"""

import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import one_hot

FOLDER = Path(__file__).resolve().parent
CLASSES = 0
TOLERANCE = 0.0
TRAIN = False  # whether batch norm uses the statistics of what is drawn together


def generator():
    """The module, with PyTorch's random weights."""
    return nn.Sequential(
        # STEPS
    )


def load(folder=FOLDER):
    """The module with the weights of a folder."""
    module = generator()
    found = module.load_state_dict(load_file(Path(folder) / "torch_generator.safetensors"), False)
    if found.unexpected_keys or any("num_batches" not in key for key in found.missing_keys):
        raise ValueError(f"these are the weights of another module: {found}")
    return module.train(TRAIN)


def known(folder=FOLDER):
    """Inputs (N, Z), labels behind them, and the images (N, C, H, W) of the exported model."""
    stored = load_file(Path(folder) / "check.safetensors")
    rows = stored["inputs.noise"]
    if CLASSES:
        label = one_hot(stored["inputs.label"].long(), CLASSES)
        rows = torch.cat([rows, label.to(rows.dtype)], dim=1)
    return rows, stored["outputs.images"].permute(0, 3, 1, 2)


def check(folder=FOLDER):
    """The largest difference between its images and those that the exported model made."""
    rows, images = known(folder)
    with torch.no_grad():
        return float((load(folder)(rows) - images).abs().max())


def to_onnx(path, folder=FOLDER):
    """Write ONNX, and return the largest difference from what the exported model made."""
    import onnxruntime

    rows, images = known(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch, about its own parts
        torch.onnx.export(
            load(folder),
            (rows,),
            str(path),
            input_names=["rows"],
            output_names=["images"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"rows": rows.numpy()})
    return float((torch.from_numpy(made) - images).abs().max())


if __name__ == "__main__":
    worst = to_onnx(sys.argv[2]) if sys.argv[1:2] == ["--onnx"] else check()
    print(f"off by {worst:.2g}")
    sys.exit(worst > TOLERANCE)
