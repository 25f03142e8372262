"""What a captioning experiment sets, and what it builds from that: a task, a trained captioner."""

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxgen.captioning import losses, start
from jaxgen.captioning.captioners.base import Captioner
from jaxgen.captioning.encoders import seeing
from jaxgen.captioning.encoders.augmentation import SIDES
from jaxgen.captioning.encoders.base import Encoder, NoEncoder, PictureEncoder
from jaxgen.captioning.losses import Reduction
from jaxgen.captioning.objectives.base import Built, Objective, Setup
from jaxgen.captioning.objectives.cross_entropy import CrossEntropy
from jaxgen.captioning.quality import CaptionQuality
from jaxgen.captioning.step import Captioning
from jaxgen.captioning.trained import TrainedCaptioner
from jaxgen.captioning.writing import Writer, writer
from jaxgen.data.captions.base import CaptionData, Captions, Split, load_captions
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.data.photographs.identity import EncoderIdentity
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
from jaxgen.training.task import PyTree, Saved, Source, Task, TrainConfig
from jaxgen.training.told_run import words_of


@dataclass(frozen=True)
class AboutCaptions:
    """What the captioner has to know of the captions; kept with the run."""

    vocabulary: tuple[str, ...]
    feature_shape: tuple[int, ...] = setting(least=1)
    examples: int = setting(least=1)
    feature_encoder: EncoderIdentity = setting(EncoderIdentity(), before=EncoderIdentity())
    """Of photographs, if one of jaxgen's made the features; it makes those of others."""

    def as_json(self) -> dict[str, Any]:
        """As a run records it; as before there were encoders, where none made the features."""
        told = configs.to_json(self, AboutCaptions)
        if not self.feature_encoder.name:
            del told["feature_encoder"]
        return told


@named("captioning", "jaxgen.captioning:CaptionConfig")
@dataclass(frozen=True, kw_only=True)
class CaptionConfig(TrainConfig):
    """A captioning experiment: captioner, loss, data and the numbers of its training."""

    captioner: Captioner
    """What turns features into words."""
    loss: Reduction = losses.sum_over_time
    """How the tokens' cross-entropies become one number."""
    objective: Objective = setting(CrossEntropy(), before=CrossEntropy())
    """What is minimised: that number, or the reward of drawn captions, with the other sign."""
    optimizer: Optimizer = Optimizer()
    """How that number is minimised."""
    encoder: Encoder = setting(NoEncoder(), before=NoEncoder())
    """What sees pictures for the captioner and learns with it, where the data are pictures."""
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
            feature_encoder=data.feature_encoder,
        )
        if self.data.max_train > about.examples:
            note(
                f"{flag('data.max_train')} {self.data.max_train}: there are {about.examples} "
                "training captions, all are used"
            )
        self._refuse_mirrors(about)
        objective = self._objective(about, data)
        captioning = self.captioning(about, objective)
        quality = self._quality(about, data)
        return Task(
            source=objective.source(source(data.train, self)),
            init=fitting(
                captioning.init,
                f"give {flag('captioner')} smaller widths, or {flag('shard_parameters')}",
                shard=self.shard_parameters,
            ),
            step=captioning.step,
            show=lambda state: quality.show(state.params),
            evaluate=lambda state: quality.evaluate(state.params),
            about=about.as_json(),
            begin=partial(self._begin, about),
        )

    def settled(self, old: TrainConfig | None) -> TrainConfig:
        return start.settled(self, old)

    def restored(self, saved: Saved) -> TrainedCaptioner:
        about = configs.from_json(saved.about, AboutCaptions, "what the run's data were")
        return TrainedCaptioner(
            self,
            self.writer(about),
            about.feature_shape,
            saved,
            lambda: self._quality(about, load_captions(self.data)),
            about.feature_encoder,
        )

    def figures(self) -> dict[str, FigureWords]:
        declared = {metric.key: words_of(metric) for metric in CaptionMetric.ordered()}
        of_loss = {"validation_loss": FigureWords("validation loss", "lower")}
        main = [name for name in ("true", "cider_d") if name in declared]
        return {name: declared[name] for name in main} | of_loss | declared

    def tied_to_steps(self) -> str:
        return self.optimizer.tied_to_steps()

    def captioning(self, about: AboutCaptions, objective: Built | None = None) -> Captioning:
        """The pure functions of its training, for captions like these.

        Args:
            about: the captions.
            objective: built for them; one that reads nothing but its batches is built here.
        """
        objective = objective or self._objective(about)
        optimizer = self.optimizer.build(self.steps, about.examples // self.batch_size)
        if isinstance(self.encoder, PictureEncoder):
            optimizer = seeing.with_own_rate(optimizer, self.encoder)
        return Captioning(
            module=self._module(about),
            feature_shape=about.feature_shape,
            objective=objective.loss,
            optimizer=objective.optimizer(optimizer),
        )

    def _begin(self, about: AboutCaptions) -> Any:
        """What the first state has of a run that training starts from, or of the encoder."""
        given = start.begin(self, about.as_json())
        if given is None and isinstance(self.encoder, PictureEncoder):
            weights = self.encoder.weights_to_begin_with()
            given = None if weights is None else {"params": {"encoder": weights}}
        return given

    def _objective(self, about: AboutCaptions, data: CaptionData | None = None) -> Built:
        writer = self.writer(about)
        setup = Setup(writer.module, writer.special, self.loss, self.max_length)
        return self.objective.built(setup, data)

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
        words, shape = len(about.vocabulary), about.feature_shape
        if isinstance(self.encoder, NoEncoder):
            if len(shape) == 3:
                raise JaxgenError(
                    f"these features are pictures, which a captioner does not read: give "
                    f"{flag('encoder')} scene_cnn or another, or other {flag('data.features')}"
                )
            module = self.captioner.module(words, shape, self.max_length, null)
        else:
            assert isinstance(self.encoder, PictureEncoder)
            module = self._seeing(self.encoder, words, shape, null)
        return in_precision(module, self.precision)

    def _seeing(
        self, encoder: PictureEncoder, words: int, shape: tuple[int, ...], null: int
    ) -> seeing.SeeingCaptioner:
        if len(shape) != 3:
            raise JaxgenError(
                f"an {flag('encoder')} sees pictures, and these data have features of shape "
                f"{shape}: give {flag('encoder')} none, or {flag('data.features')} pixels"
            )
        sees = encoder.module(shape)
        tokens_shape = seeing.tokens_shape(sees, shape)
        captioner = self.captioner.module(words, tokens_shape, self.max_length, null)
        return seeing.SeeingCaptioner(sees, captioner, encoder)

    def _refuse_mirrors(self, about: AboutCaptions) -> None:
        """A mirrored picture makes a sentence about left or right false."""
        if not (isinstance(self.encoder, PictureEncoder) and self.encoder.mirror):
            return
        # Characters spell any word.
        any_word = self.data.units == "characters"
        told = [word for word in SIDES if any_word or word in about.vocabulary]
        if told:
            raise JaxgenError(
                f"{flag('encoder.mirror')}: these captions may say {told[0]}, which a mirrored "
                "picture makes false; leave it off"
            )

    def _vocabulary(self, about: AboutCaptions) -> Vocabulary:
        return Vocabulary(about.vocabulary, self.data.units)

    def _quality(self, about: AboutCaptions, data: CaptionData) -> CaptionQuality:
        same = tuple(data.validation.features.shape[1:]) == about.feature_shape
        same = same and data.feature_encoder == about.feature_encoder
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
    array = features.array

    def beside() -> PyTree:
        return split.captions if array is None else (split.captions, array)

    return keeping.streamed(len(captions_NT), read, example_bytes, config, beside)
