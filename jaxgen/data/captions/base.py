"""What a set of captioned images is: a configuration that loads it, and what it loads.

To add one, write a subclass of `Captions` whose `load` returns a `CaptionData`, of arrays in memory
if you like:

    @dataclass(frozen=True)
    class Mine(Captions):
        def load(self) -> CaptionData:
            captions = {"captions": captions_NT, "image_index": index_N}
            split = Split(captions, Features.of(features_MF), ["a.png", "b.png"])
            return CaptionData(train=split, validation=split, vocabulary=vocabulary)

N captions, T tokens of a caption, M images, F width of a feature.
"""

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgen import settings
from jaxgen.data.captions import characters
from jaxgen.data.captions.checks import sound
from jaxgen.data.captions.contents import CaptionData, Features, Split
from jaxgen.data.captions.vocabulary import Units
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting, shortened

__all__ = ["CaptionData", "Captions", "Features", "Split", "load_captions"]


@dataclass(frozen=True, kw_only=True)
class Captions(ABC):
    """A set of captioned images: its numbers, as flags; subclasses load it."""

    units: Units = "words"
    """What captions are made of: words, or characters, which make them about four times as long."""
    max_train: int = setting(0, least=0)
    """Train on this many captions, drawn at random; 0 for all."""
    max_train_seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of that draw."""

    @abstractmethod
    def load(self) -> CaptionData:
        """Loads both splits whole and in words; `load_captions` spells, draws and checks.

        Raises:
            JaxgenError: something the user gave cannot be used.
        """

    @classmethod
    def upgraded(cls, value: Any, where: str) -> Any:
        """What jaxgen 0.1.0 wrote for one class with the flags of all sets, in today's form.

        Args:
            value: JSON values without a "type".
            where: what to call them in messages.

        Returns:
            An object with the "type" of a set and its fields. Where a subclass is declared, no type
            is expected, and the value is returned as it is.

        Raises:
            JaxgenError: it is not of the old form, or of a set that no longer exists.
        """
        if cls is not Captions:
            return value
        if not isinstance(value, dict) or value.get("name") not in ("scenes", "coco"):
            raise JaxgenError(
                f'{where} must be an object with the "type" of a set of captions, or what jaxgen '
                f'0.1.0 wrote, with the "name" scenes or coco, got {shortened(repr(value))}'
            )
        fields = {key: item for key, item in value.items() if key != "name"}
        if value["name"] == "coco":
            features = fields.pop("features", None)
            if features != "vector":
                raise JaxgenError(
                    f"{where}.features must be 'vector' for coco, got {shortened(repr(features))}"
                )
            fields.pop("scenes", None)
        return {"type": value["name"], **fields}


def load_captions(captions: Captions) -> CaptionData:
    """Loads a set of captions, checks it, spells it if `units` says so, and draws `max_train`.

    Args:
        captions: what to load.

    Returns:
        Its data; captions of both splits have the same number of tokens.

    Raises:
        JaxgenError: a number is out of its range, or what the set loads is not sound.
    """
    settings.check(captions, "data.")
    data = sound(captions.load(), type(captions).__name__)
    vocabulary = data.vocabulary
    tokens = [split.captions["captions"] for split in (data.train, data.validation)]
    if captions.units == "characters":
        vocabulary = characters.character_vocabulary(data.vocabulary)
        tokens = [characters.spell(part, data.vocabulary, vocabulary) for part in tokens]
    longest = max(part.shape[1] for part in tokens)
    train, validation = (
        dataclasses.replace(
            split,
            captions=split.captions | {"captions": characters.widen(part, longest, vocabulary)},
        )
        for split, part in zip((data.train, data.validation), tokens, strict=True)
    )
    if captions.max_train:
        rng = np.random.default_rng(captions.max_train_seed)
        size = len(train.captions["captions"])
        rows = rng.choice(size, min(captions.max_train, size), replace=False)
        some = {name: array[rows] for name, array in train.captions.items()}
        train = dataclasses.replace(train, captions=some)
    return dataclasses.replace(data, train=train, validation=validation, vocabulary=vocabulary)
