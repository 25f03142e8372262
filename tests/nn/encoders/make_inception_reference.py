"""Makes tests/reference/inception.npz, with torch-fidelity's module (see the README there).

python tests/nn/encoders/make_inception_reference.py
"""

import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))
from tests.nn.encoders.formula import STEPS, picture  # noqa: E402
from tests.nn.encoders.inception_module import SIDE, with_formula  # noqa: E402

if __name__ == "__main__":
    module = with_formula()
    pixels = torch.from_numpy(picture(SIDE, SIDE)).permute(0, 3, 1, 2)
    with torch.no_grad():
        vector, logits = module(pixels)
    found = {"vector": vector.numpy(), "logits": logits.numpy()}
    kept = {key: array[:, :: STEPS[key]] for key, array in found.items()}
    path = HERE.parents[1] / "reference" / "inception.npz"
    np.savez(path, **kept)
    print(path.stat().st_size, {key: (a.shape, float(np.abs(a).max())) for key, a in kept.items()})
