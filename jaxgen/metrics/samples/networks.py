"""Networks whose features pictures of any origin are compared by, and what they see in a set.

Each picture's features are computed at the highest precision, in batches of one shape, and depend
on no other picture.

N pictures of a set, B of a batch, H W height and width, F features, K classes.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from jaxgen.data import picture_files
from jaxgen.data.photographs import weights
from jaxgen.data.picture_sets import AS_IT_IS, PictureSet, Prepare, in_words
from jaxgen.display import plots, progress
from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples import classifier
from jaxgen.metrics.samples.base import Measured
from jaxgen.nn import batch_axis, placing, precision
from jaxgen.nn.encoders.base import Encoder
from jaxgen.nn.encoders.efficientnet_lite import lite0
from jaxgen.nn.encoders.inception import SHA256, inception
from jaxgen.settings import flag
from jaxgen.settings.memory import refuse_too_much

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

NetworkName = Literal["classifier", "lite0", "inception"]
ClassifierName = Literal["digits", "fashion"]
MOST_PIXELS = 2**26
"""Numbers of a set's pixels that are kept for metrics of pixels: 268 MB as float32."""
_AT_ONCE = 64  # images in memory that are looked at in one call
_SIDE = 28  # of the pictures that the classifiers know

Seen = tuple[np.ndarray, np.ndarray]
"""Features (B, F) and logits (B, K), float32."""


@dataclass(frozen=True)
class Network:
    """A network that measures."""

    key: str
    """At the end of the keys of its figures; "" for the classifiers, whose reports have none."""
    title: str
    """Beside the names of its figures in tables."""
    about: str
    """Its weights, and how pictures come to it."""
    sha256: str
    """Of its file of weights."""
    prepare: Prepare
    """What a picture becomes before it is looked at."""
    look: Callable[[np.ndarray], Callable[[], Seen]]
    """Begins to look at uint8 (B, H, W, 3), always of one B, and gives what waits for it."""
    width: int
    """F."""
    classes: int
    """K."""
    side: int = 0
    """Of the pictures that it knows, if it knows one size only."""

    def seen(self, pictures: PictureSet, batch: int, seed: int) -> Measured:
        """What it sees in a set.

        Args:
            pictures: the set.
            batch: B, fewer where pictures are large.
            seed: of what metrics draw.

        Raises:
            JaxgenError: as `PictureSet.blocks`; or the pictures are not such as it knows, are too
                many for the memory, or its features are not finite.
        """
        if self.side and pictures.size != (self.side, self.side):
            raise JaxgenError(
                f"{pictures.path} has pictures of {in_words(pictures.size)}, and the classifiers "
                f"know {self.side}x{self.side} only: give {flag('features')} lite0 or inception, "
                f"or {flag('size')} {self.side}"
            )
        count = len(pictures)
        refuse_too_much(
            3 * 4 * count * (self.width + self.classes),  # and again as halves of the floor
            f"measuring {count} pictures by {self.title}",
            "give fewer pictures",
        )
        features_NF = np.empty((count, self.width), np.float32)
        logits_NK = np.empty((count, self.classes), np.float32)
        kept: list[np.ndarray] | None = []
        done, waiting = 0, []

        def store() -> None:
            nonlocal done
            wait, number = waiting.pop(0)
            for array, part in zip((features_NF, logits_NK), wait(), strict=True):
                array[done : done + number] = part[:number]
            done += number

        shape = 0
        with progress.bar(
            total=count, desc=f"measuring {pictures.path}", unit="picture", delay=1
        ) as told:
            for image_BHWC in pictures.blocks(min(batch, count), self.prepare):
                number = len(image_BHWC)
                shape = shape or number
                if kept is not None and count * image_BHWC[0].size <= MOST_PIXELS:
                    kept.append(image_BHWC)
                else:
                    kept = None
                fill = [(0, shape - number), (0, 0), (0, 0), (0, 0)]
                # While the devices look at this block the next one is read.
                waiting.append((self.look(np.pad(image_BHWC, fill)), number))
                if len(waiting) > 1:
                    store()
                told.update(number)
            while waiting:
                store()
        if not np.isfinite(features_NF[:done]).all():
            raise JaxgenError(
                f"{self.title} gives features that are not finite: its weights (SHA-256 "
                f"{self.sha256[:12]}...) are not those of a trained network; give other "
                f"{flag('weights')}"
            )
        images_NHWC: Any = None
        if kept is not None and self.prepare is AS_IT_IS:
            images_NHWC = np.concatenate(kept).astype(np.float32) / 127.5 - 1
        return Measured(images_NHWC, features_NF[:done], logits_NK[:done], None, seed)

    def features(self, images_NHWC: np.ndarray) -> np.ndarray:
        """The features (N, F) of images in memory.

        Args:
            images_NHWC: float32 in [-1, 1], grey or in colour; seen as in a file of 8 bits.
        """
        from PIL import Image

        found = [np.empty((0, self.width), np.float32)]
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(images_NHWC), _AT_ONCE):
                pixel_BHWC = plots.to_bytes(images_NHWC[start : start + _AT_ONCE])
                colour_BHWC = np.broadcast_to(pixel_BHWC, (*pixel_BHWC.shape[:3], 3))
                pictures = map(Image.fromarray, colour_BHWC)
                image_BHWC = np.stack(list(pool.map(self.prepare, pictures)))
                fill = [(0, _AT_ONCE - len(image_BHWC)), (0, 0), (0, 0), (0, 0)]
                features_BF, _ = self.look(np.pad(image_BHWC, fill))()
                found.append(features_BF[: len(image_BHWC)])
        return np.concatenate(found)


def opened(
    name: NetworkName, file: Path | None = None, known: ClassifierName = "digits"
) -> Network:
    """A network with its weights.

    Args:
        name: of the network.
        file: of its weights; those of a package by default.
        known: which classifier, where one is asked for.

    Raises:
        JaxgenError: there is no file of weights, or it is not of this network.
        OSError: it cannot be read.
    """
    if name == "classifier":
        if file is not None:
            raise JaxgenError(
                f"{flag('weights')} {file}: the classifiers come with jaxgen; leave it out, or "
                f"give {flag('features')} inception"
            )
        return _of_classifier(known)
    encoder = {"lite0": lite0, "inception": inception}[name]
    loaded = weights.load(encoder, file)
    _, encoded = encoder.shapes()
    widths = encoded.vector_NF.shape[1], encoded.logits_NK.shape[1]
    told = f"weights SHA-256 {loaded.sha256[:12]}"
    if name == "lite0":
        about = f"{told}, pictures squeezed to 224x224 with Pillow's bicubic filter"
        look = _looks(encoder, loaded.variables)
        return Network(name, "EfficientNet-Lite0", about, loaded.sha256, _for_lite0, look, *widths)
    whose = "those that papers use" if loaded.sha256 == SHA256 else "NOT those that papers use"
    about = f"{told}, {whose}; pictures scaled to 299x299 as TensorFlow 1 does it"
    # The Inception score is of logits without their bias, as its authors' code has it.
    look = _looks(encoder, loaded.variables, loaded.variables["params"]["fc"]["bias"])
    return Network(name, "Inception-v3", about, loaded.sha256, AS_IT_IS, look, *widths)


def _looks(
    encoder: Encoder, variables: Any, bias_K: np.ndarray | None = None
) -> Callable[[np.ndarray], Callable[[], Seen]]:
    """What looks at pictures with an encoder; `bias_K` is taken from the logits."""
    placed, program = placing.on_each_device(variables), _program(encoder)

    def look(image_BHWC: np.ndarray) -> Callable[[], Seen]:
        with placing.around(placed):
            found = program(placed, image_BHWC)

        def wait() -> Seen:
            features_BF, logits_BK = (np.asarray(array) for array in found)
            return features_BF, logits_BK if bias_K is None else logits_BK - bias_K[None]

        return wait

    return look


def _program(encoder: Encoder) -> Callable[[Any, np.ndarray], tuple[jax.Array, jax.Array]]:
    @jax.jit
    def encode(variables: Any, image_BHWC: jax.Array) -> tuple[jax.Array, jax.Array]:
        with precision.using("float32"), precision.highest():
            encoded = encoder.encoded(variables, batch_axis.spread(image_BHWC))
        seen = encoded.vector_NF, encoded.logits_NK
        return jax.tree.map(partial(batch_axis.whole, n=len(image_BHWC)), seen)

    return encode


def _for_lite0(picture: "Picture") -> np.ndarray:
    from PIL import Image

    return np.asarray(picture.resize((lite0.size, lite0.size), Image.Resampling.BICUBIC))


def _of_classifier(known: ClassifierName) -> Network:
    network = classifier.load(known)

    def look(image_BHWC: np.ndarray) -> Callable[[], Seen]:
        if (image_BHWC != image_BHWC[..., :1]).any():
            raise JaxgenError(
                "the classifiers know grey pictures only, and these are in colour: give "
                f"{flag('features')} lite0 or inception"
            )
        grey_BHWC = picture_files.in_colour(image_BHWC, "grey").astype(np.float32) / 127.5 - 1
        seen = network.features_and_logits(grey_BHWC)
        return lambda: seen

    return Network(
        "", f"classifier '{known}'", "jaxgen's own", classifier.SHA256[known], AS_IT_IS, look,
        classifier.FEATURES, classifier.CLASSES, side=_SIDE,
    )  # fmt: skip
