"""The examples of a prepared TFDS copy in array_record format, read at random.

N examples, K that are asked for, H height, W width, C channels (1 grey, 3 colours).
"""

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data import picture_batches, picture_files
from jaxgen.display import progress
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, shortened

BLOCK = 1_000  # examples per read: array_record reads a block in parallel
TOGETHER = 64  # of them while training goes on, whose memory the files take beside all else


class TfdsExamples:
    """Images and labels of the split `train`; only these features are decoded."""

    def __init__(self, copy: Path, name: str, side: int) -> None:
        """Opens a copy.

        Args:
            copy: its folder.
            name: of the set, for messages.
            side: to scale images to; 0 leaves them as they are.

        Raises:
            JaxgenError: it has no images.
            Exception: of nearly any kind, where the copy is damaged.
        """
        import tensorflow_datasets as tfds  # heavy, and an optional extra

        self._name, self._side = name, side
        builder: Any = tfds.builder_from_directory(copy)
        # The others are not decoded: that can take TensorFlow.
        self._features = _wanted(builder.info.features, name)
        # TFDS's own image decoder warns where OpenCV is absent; pictures need no more than Pillow.
        self._as_files = {"image": tfds.decode.SkipDecoding()}
        self._raw = builder.as_data_source(
            split="train", deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )

    def __len__(self) -> int:
        return len(self._raw)

    def read(self, place_K: Sequence[int], channels: int, shape: tuple[int, int]) -> np.ndarray:
        """Images of examples, uint8 (K, H, W, C); any thread may ask for them.

        Raises:
            JaxgenError: an image cannot be used, or has another size than `shape`, H and W.
            Exception: of nearly any kind, where a record is damaged.
        """

        def decode(record: bytes, most: int) -> np.ndarray:
            image_HWC, _ = self._decoded(record, most)
            self._refuse_another_size(image_HWC.shape, (*shape, 3))
            return image_HWC

        image_KHWC = np.empty((len(place_K), *shape, channels), np.uint8)
        for start in range(0, len(place_K), TOGETHER):
            records = self._raw.__getitems__(place_K[start : start + TOGETHER])
            decoded = picture_batches.decoded(decode, records, channels, shape)
            image_KHWC[start : start + len(records)] = decoded
        return image_KHWC

    def read_all(self) -> tuple[np.ndarray, np.ndarray]:
        """All of them: images, uint8 (N, H, W, 3), and labels, int32 (N,).

        Raises:
            JaxgenError, Exception: see `read`.
        """
        image_NHWC = np.zeros((0, 0, 0, 3), np.uint8)
        label_N = np.zeros(len(self), np.int32)
        with (
            warnings.catch_warnings(action="ignore"),  # Pillow's, about files that it can read
            ThreadPoolExecutor() as pool,
            progress.bar(total=len(self), desc="reading images", unit="image", delay=1) as done,
        ):
            for rows in self._blocks():
                records = self._raw.__getitems__(rows)
                examples = picture_files.in_threads(pool, self._decoded, records)
                for row, (image_HWC, label_N[row]) in zip(rows, examples, strict=True):
                    if row == 0:
                        image_NHWC = np.empty((len(self), *image_HWC.shape), np.uint8)
                    self._refuse_another_size(image_HWC.shape, image_NHWC.shape[1:])
                    image_NHWC[row] = image_HWC
                done.update(len(rows))
        return image_NHWC, label_N

    def survey(self, grey_matters: bool) -> tuple[np.ndarray, tuple[int, int], bool]:
        """What has to be known of all images before any is used, without holding them.

        Args:
            grey_matters: whether it is asked for if every image is grey: as long as all are, each
                is decoded. So are all where none is scaled, for their sizes.

        Returns:
            Labels, int32 (N,); H and W; whether every image is grey, or False if not asked for.

        Raises:
            JaxgenError, Exception: see `read`.
        """
        label_N, grey = np.zeros(len(self), np.int32), grey_matters
        shape = self._decoded(self._raw[0], picture_files.MOST_PIXELS)[0].shape
        with progress.bar(total=len(self), desc="reading labels", unit="image", delay=1) as done:
            for rows in self._blocks():
                for row, record in zip(rows, self._raw.__getitems__(rows), strict=True):
                    label_N[row] = self._example(record).get("label", 0)
                if grey or not self._side:  # each must have the size of the first
                    image_KHWC = self.read(rows, 3, shape[:2])
                    grey = grey and bool((image_KHWC == image_KHWC[..., :1]).all())
                done.update(len(rows))
        return label_N, shape[:2], grey

    def _blocks(self) -> list[range]:
        starts = range(0, len(self), BLOCK)
        return [range(start, min(start + BLOCK, len(self))) for start in starts]

    def _example(self, record: bytes) -> dict[str, Any]:
        return self._features.deserialize_example_np(record, decoders=self._as_files)

    def _decoded(self, record: bytes, most: int) -> tuple[np.ndarray, int]:
        example = self._example(record)
        try:
            image_HWC = picture_files.read(example["image"], self._side, most)
        except JaxgenError as error:
            raise JaxgenError(f"TFDS set {self._name!r} has an unusable image: {error}") from error
        return image_HWC, example.get("label", 0)

    def _refuse_another_size(self, shape: tuple[int, ...], first: tuple[int, ...]) -> None:
        if shape != first:
            sizes = " and ".join(f"{height}x{width}" for height, width, _ in (first, shape))
            raise JaxgenError(
                f"the images of TFDS set {self._name!r} differ in size ({sizes} among them); give "
                f"the side to cut and scale them to, such as {flag('data.size')} 64"
            )


def _wanted(declared: Any, name: str) -> Any:
    """The features to read of those that a set declares."""
    import tensorflow_datasets as tfds

    is_dict = isinstance(declared, tfds.features.FeaturesDict)
    features: dict[str, Any] = dict(declared.items()) if is_dict else {}
    image, label = features.get("image"), features.get("label")
    if not isinstance(image, tfds.features.Image) or image.np_dtype not in (np.uint8, np.uint16):
        raise JaxgenError(
            f"TFDS set {name!r} has no feature 'image' that holds pictures of 8 or 16 bits; its "
            f"features are {shortened(', '.join(sorted(features)) or str(declared), 300)}"
        )
    is_class = label is not None and label.shape == () and np.issubdtype(label.np_dtype, np.integer)
    return tfds.features.FeaturesDict({"image": image} | ({"label": label} if is_class else {}))
