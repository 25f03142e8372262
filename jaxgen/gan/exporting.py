"""What a trained generator gives so that it can be exported."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgen.gan import torch_networks
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.training.exporting.exportable import (
    Arrays,
    Exportable,
    Program,
    TorchForm,
    Words,
    flat,
    nested,
)
from jaxgen.training.exporting.stablehlo import source
from jaxgen.training.task import Saved, TrainConfig

_ROWS = 4  # of the check
_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}
"""Of images in [-1, 1]: rounding, where a machine adds up in another order."""
_TORCH = "torch_generator.py"


def exportable(config: TrainConfig, sampler: Sampler, weights: Weights, saved: Saved) -> Exportable:
    """A generator, ready to be written.

    Args:
        config: that it was trained with.
        sampler: how it is sampled.
        weights: that it is sampled with, the moving average where there is one.
        saved: what its run holds.
    """
    kept: dict[str, Any] = {"params": weights.params}
    if weights.stats:
        kept["stats"] = weights.stats

    def call(arrays: Arrays, inputs: Arrays) -> Arrays:
        generator = nested(arrays)["generator"]
        noise_NZ = inputs["noise"]
        label_N = inputs.get("label", jnp.zeros(noise_NZ.shape[:1], jnp.int32))
        own = Weights(generator["params"], generator.get("stats", {}))
        return {"images": sampler.images(own, noise_NZ, label_N)}

    inputs = {"noise": sampler.draw_noise(_ROWS, 0)[:_ROWS]}
    if sampler.classes:
        inputs["label"] = sampler.turns(0, _ROWS).astype(np.int32)

    def torch() -> TorchForm:
        about, settings = saved.about, config
        layout = torch_networks.generator(
            settings.networks,  # type: ignore[attr-defined]
            tuple(about["image_shape"]),
            sampler.noise_size + sampler.classes,
        )
        stats = flat(kept["stats"]) if weights.stats else {}
        steps = "".join(f"        {step.source},\n" for step in layout.steps)
        template = source(_TORCH)
        return TorchForm(
            layout.to_torch(flat(kept["params"]), stats),
            template.replace("        # STEPS\n", steps)
            .replace("CLASSES = 0", f"CLASSES = {sampler.classes}")
            .replace("TOLERANCE = 0.0", f"TOLERANCE = {_TOLERANCE[config.precision]}")
            .replace("TRAIN = False", f"TRAIN = {sampler.statistics == 'batch'}"),
        )

    height, width, colours = saved.about["image_shape"]
    labels = ", labels=[0, 1, 2]" if sampler.asked_classes else ""
    per_class = ""
    if sampler.asked_classes:
        per_class = f" It is conditional: {sampler.classes} classes can be asked for."
    elif sampler.cluster_sizes:
        per_class = (
            f" Its labels are {sampler.classes} clusters of the training images, which samples "
            "fall on as often as those do."
        )
    return Exportable(
        config=config,
        saved=saved,
        weights={"generator": kept},
        program=Program("generator", call, inputs, _TOLERANCE[config.precision]),
        torch=torch,
        words=Words(
            task="unconditional-image-generation",
            what=f"The generator of a GAN: {sampler.noise_size} random numbers become an image of "
            f"{height}x{width} pixels, {colours} channel{'s' * (colours > 1)}, in [-1, 1]."
            f"{per_class}",
            usage=f"images = model.sample(seed=0, n=16{labels})  # float32 (N, {height}, {width}, "
            f"{colours})",
            limits=(
                "To pass samples off as records of anything real: as handwriting, signatures, "
                "documents or photographs of somebody.",
                "As a substitute for real data where decisions about people depend on it. Samples "
                "leave out what the model did not learn; recall and coverage say how much.",
                "On anything but what the data above are. It knows nothing else, and repeats their "
                "faults.",
            ),
        ),
    )
