"""Batches of images for training, of any kind of model, kept where a configuration says.

K steps of a dispatch, B examples of a batch.
"""

from dataclasses import replace

import numpy as np

from jaxgen.data.images.base import Images, open_images
from jaxgen.data.images.clusters import cluster_of_each
from jaxgen.data.images.stored import StoredImages
from jaxgen.settings import flag
from jaxgen.training import keeping
from jaxgen.training.task import Source, TrainConfig


def image_source(
    images: Images, config: TrainConfig, clusters: int = 0
) -> tuple[StoredImages, Source]:
    """What a set has to train on.

    Args:
        images: the set.
        config: whose batches they are; its `keep_data` says where the images stay.
        clusters: groups of like images to find, whose numbers batches have as `label`; 0 for the
            set's own labels.

    Returns:
        The images, in memory unless they are read while training goes on, with the clusters that
        were asked for; and batches of `image` uint8 (B, H, W, C) and `label` int32 (B,).

    Raises:
        JaxgenError: see `open_images`; they are to be read from files and can only be loaded; or
            memory does not hold what is asked for; or there are fewer images than clusters.
    """
    stored = open_images(images)
    place = keeping.place(
        config.keep_data,
        len(stored) * stored.bytes_of_one,
        in_memory=stored.array is not None,
        how_to_stream=f"pack the pictures (`jaxgen pack`) and train on {flag('data')} packed",
    )

    if place != "stream":
        stored = stored.in_memory()
    label_N = stored.label_N
    if clusters:
        label_N = cluster_of_each(stored, clusters)
        stored = replace(stored, cluster_N=label_N)

    def read(index_KB: np.ndarray) -> dict[str, np.ndarray]:
        return {"image": stored.gather(index_KB), "label": label_N[index_KB]}

    if place == "stream":
        example_bytes, beside = stored.bytes_of_one + 4, (label_N, stored.hashes)
        return stored, keeping.streamed(len(stored), read, example_bytes, config, lambda: beside)
    arrays = stored.arrays() | {"label": label_N}
    return stored, keeping.on_host(arrays, config) if place == "host" else Source.of(arrays)
