"""torchvision's modules, with weights that a formula or a seed makes, beside those of jaxgen."""

import pytest

torch = pytest.importorskip("torch")


def torchvision_models():
    """`torchvision.models`; skips where there is none.

    Beside a PyTorch for CPUs the package's own wheel, for CUDA, cannot load its operators; the
    modules here need none of them, but its import names one, which is declared in its place. Where
    the package has its own, a second one of that name would end the process.
    """
    try:
        return pytest.importorskip("torchvision.models")
    except RuntimeError:  # operator torchvision::nms does not exist
        for name in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
        return pytest.importorskip("torchvision.models")
