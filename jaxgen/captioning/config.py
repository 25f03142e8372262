"""What a captioning experiment sets, and what it builds from that: a task, a trained captioner."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgen.captioning import losses
from jaxgen.captioning.captioners.base import Captioner
from jaxgen.captioning.losses import Reduction
from jaxgen.captioning.quality import CaptionQuality
from jaxgen.captioning.step import Captioning
from jaxgen.captioning.trained import TrainedCaptioner
from jaxgen.captioning.writing import Writer, writer
from jaxgen.data.captions.base import CaptionData, Captions, Split, load_captions
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.data.scenes.captions import Scenes
from jaxgen.display.report.told import FigureWords
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions.base import CaptionMetric
from jaxgen.nn.precision import in_precision
from jaxgen.settings import flag, named, setting
from jaxgen.settings.memory import refuse_too_much
from jaxgen.settings.notes import note
from jaxgen.training import configs, keeping
from jaxgen.training.optimizers import Optimizer
from jaxgen.training.state_size import fitting
from jaxgen.training.task import Saved, Source, Task, TrainConfig
from jaxgen.training.told_run import words_of


@dataclass(frozen=True)
class AboutCaptions:
    """What the captioner has to know of the captions; kept with the run."""

    vocabulary: tuple[str, ...]
    feature_shape: tuple[int, ...] = setting(least=1)
    examples: int = setting(least=1)


@named("captioning", "jaxgen.captioning:CaptionConfig")
@dataclass(frozen=True, kw_only=True)
class CaptionConfig(TrainConfig):
    """A captioning experiment: captioner, loss, data and the numbers of its training."""

    captioner: Captioner
    """What turns features into words."""
    loss: Reduction = losses.sum_over_time
    """How the tokens' cross-entropies become one number."""
    optimizer: Optimizer = Optimizer()
    """How that number is minimised."""
    data: Captions = Scenes()
    """Captions and features of images."""
    max_length: int = setting(30, least=1, most=2**12)
    """Most words of a generated caption, END included."""
    evaluate_images: int = setting(2000, least=1, may_change=True)
    """Validation images to caption and to take the validation loss on, where `evaluate_every` or
    `jaxgen evaluate` asks for it."""

    def task(self) -> Task:
        data = load_captions(self._to_load())
        tokens = data.train.captions["captions"].shape[1]
        if self.max_length < tokens - 1:
            raise JaxgenError(
                f"{flag('max_length')} must be at least {tokens - 1}, which the data's captions "
                "have"
            )
        about = AboutCaptions(
            vocabulary=data.vocabulary.words,
            feature_shape=tuple(data.train.features.shape[1:]),
            examples=len(data.train.captions["captions"]),
        )
        if self.data.max_train > about.examples:
            note(
                f"{flag('data.max_train')} {self.data.max_train}: there are {about.examples} "
                "training captions, all are used"
            )
        captioning = self.captioning(about)
        quality = self._quality(about, data)
        return Task(
            source=source(data.train, self),
            init=fitting(
                captioning.init,
                f"give {flag('captioner')} smaller widths, or {flag('shard_parameters')}",
                shard=self.shard_parameters,
            ),
            step=captioning.step,
            show=lambda state: quality.show(state.params),
            evaluate=lambda state: quality.evaluate(state.params),
            about=configs.to_json(about, AboutCaptions),
        )

    def restored(self, saved: Saved) -> TrainedCaptioner:
        about = configs.from_json(saved.about, AboutCaptions, "what the run's data were")
        return TrainedCaptioner(
            self,
            self.writer(about),
            about.feature_shape,
            saved,
            lambda: self._quality(about, load_captions(self.data)),
        )

    def figures(self) -> dict[str, FigureWords]:
        declared = {metric.key: words_of(metric) for metric in CaptionMetric.ordered()}
        of_loss = {"validation_loss": FigureWords("validation loss", "lower")}
        main = [name for name in ("true", "cider_d") if name in declared]
        return {name: declared[name] for name in main} | of_loss | declared

    def tied_to_steps(self) -> str:
        return self.optimizer.tied_to_steps()

    def captioning(self, about: AboutCaptions) -> Captioning:
        """The pure functions of its training, for captions like these."""
        return Captioning(
            module=self._module(about),
            feature_shape=about.feature_shape,
            loss=self.loss,
            optimizer=self.optimizer.build(self.steps, about.examples // self.batch_size),
            null=self._vocabulary(about).null,
        )

    def writer(self, about: AboutCaptions) -> Writer:
        """How its captioner captions, with words like these."""
        return writer(self._module(about), self._vocabulary(about), self.max_length)

    def _to_load(self) -> Captions:
        """The set; where features are to be read while training goes on, it leaves them there."""
        if self.keep_data == "stream" and hasattr(self.data, "in_memory_mb"):
            return dataclasses.replace(self.data, **{"in_memory_mb": 0})
        return self.data

    def _module(self, about: AboutCaptions) -> Any:
        null = self._vocabulary(about).null
        words = len(about.vocabulary)
        module = self.captioner.module(words, about.feature_shape, self.max_length, null)
        return in_precision(module, self.precision)

    def _vocabulary(self, about: AboutCaptions) -> Vocabulary:
        return Vocabulary(about.vocabulary, self.data.units)

    def _quality(self, about: AboutCaptions, data: CaptionData) -> CaptionQuality:
        same = tuple(data.validation.features.shape[1:]) == about.feature_shape
        if not same or data.vocabulary.words != about.vocabulary:
            raise JaxgenError(
                f"{data.directory} holds other words or features than this captioner was trained on"
            )
        return CaptionQuality(
            self.writer(about),
            data,
            self.loss,
            self.evaluate_images,
            reproduce=bool(self.data.max_train),
        )


def source(split: Split, config: TrainConfig) -> Source:
    """Batches of `captions` and the `features` of their images.

    Args:
        split: of which they are.
        config: whose batches they are. Its `keep_data` says where features are kept: on the device,
            where each step gathers its own, in the host's memory, or in their file; "auto" leaves
            those that are not in memory where they are.

    Raises:
        JaxgenError: memory does not hold what is asked for, or the set is loaded whole and its
            features cannot be left in a file.
    """
    captions_NT, image_N = split.captions["captions"], split.captions["image_index"]
    features, size = split.features, split.features.shape[0] * split.features.bytes_of_one
    in_memory, keep = features.array is not None, config.keep_data
    if keep == "auto" and not in_memory:
        keep = "stream"
    place = keeping.place(keep, size, in_memory=in_memory)
    if place != "stream" and not in_memory:
        refuse_too_much(size, "the features", f"leave {flag('keep_data')} at auto")
        features = features.in_memory()
    if place == "device":

        def gather(arrays: dict[str, jax.Array], index_B: jax.Array) -> dict[str, jax.Array]:
            features = arrays["features"][arrays["image_index"][index_B]]
            return {"captions": arrays["captions"][index_B], "features": features}

        arrays = {**split.captions, "features": features.array}
        return Source(size=len(captions_NT), arrays=arrays, batch=gather)

    def read(index_KB: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "captions": captions_NT[index_KB],
            "features": features.gather(image_N[index_KB]),
        }

    example_bytes = features.bytes_of_one + 4 * captions_NT.shape[1]
    return keeping.streamed(len(captions_NT), read, example_bytes, config)
