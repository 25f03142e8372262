"""Computes the features of a folder of photographs, shard by shard.

    jaxgen features --images PHOTOGRAPHS --encoder lite0 --grid --out SET

While pictures are decoded in threads, the devices encode those before. Each finished shard has a
note of what it was made from (`.note-...`), so that what was killed keeps those shards and computes
the rest. `feature_set` says what is in the folder that is made.
"""

from jaxgen import settings
from jaxgen.data import output_folders, picture_files
from jaxgen.data.photographs import encoding, feature_set
from jaxgen.data.photographs.asked import FeaturesConfig
from jaxgen.data.photographs.encoding import Encoding
from jaxgen.data.photographs.feature_set import FeatureSet
from jaxgen.data.photographs.work import NOTE, Work
from jaxgen.display.replacing import PARTIAL
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.settings.memory import in_words, refuse_too_much

_OF_A_PIXEL = 4 * 64
"""Bytes of what an encoder computes of a pixel, at the least: VGG-16's first layers."""


def extract(config: FeaturesConfig) -> list[str]:
    """Makes the set `config.out`, or what is missing of it.

    Returns:
        Sentences that say what is in it and what was left out.

    Raises:
        JaxgenError: a setting makes no sense, the weights are not the encoder's, `out` holds
            something else, no picture can be read, or one cannot be that may not be left out.
        OSError: a folder cannot be read or written.
    """
    _check(config)
    paths = picture_files.find(config.images)
    if not paths:
        raise JaxgenError(
            f"{config.images} has no pictures: no files that end in "
            f"{', '.join(picture_files.SUFFIXES)}"
        )
    encoder = encoding.opened(
        config.encoder, config.weights, config.size, config.crop, config.precision
    )
    _refuse_large(config, encoder)
    work = Work(config, encoder, paths)
    config.out.mkdir(exist_ok=True)
    before = None
    if (config.out / feature_set.NAME).exists():
        before = feature_set.read(config.out)
        if before.source != work.source:
            raise JaxgenError(
                f"{flag('out')} {config.out} has features of other pictures or of another encoder; "
                "name a new or an empty folder"
            )
        if work.is_whole(before):
            output_folders.tidy(config.out, PARTIAL, NOTE)
            return [f"{config.out} was computed before, from the same pictures", *_told(before)]
    else:
        work.refuse_foreign()
    output_folders.tidy(config.out, PARTIAL)
    shards = work.shards(before)
    made = FeatureSet(config.out, encoder.identity, config.grid, work.source, shards)
    if not made.names:
        raise JaxgenError(f"no picture of {config.images} can be read")
    feature_set.write(made)
    output_folders.tidy(config.out, NOTE)
    return _told(made)


def _check(config: FeaturesConfig) -> None:
    settings.check(config)
    if not config.images.is_dir():
        raise JaxgenError(f"{flag('images')} {config.images} is not a folder")
    output_folders.check(config.out)
    if config.out.resolve() == config.images.resolve():
        raise JaxgenError(
            f"{flag('out')} {config.out} is the folder of the pictures; name another one"
        )


def _refuse_large(config: FeaturesConfig, encoder: Encoding) -> None:
    _, encoded = encoder.encoder.shapes(encoder.identity.size)
    of_one = encoded.vector_NF.size * 4 + config.grid * encoded.grid_NHWC.size * 2
    advice = f"give a smaller {flag('shard')} or {flag('size')}"
    what = f"features of {config.shard} photographs"
    # Once as arrays, once as the file that is hashed when it is read.
    refuse_too_much(2 * config.shard * of_one, what, advice)
    refuse_too_much(config.shard * of_one, what, advice, feature_set.MOST_SHARD)
    refuse_too_much(
        config.batch_size * encoder.identity.size**2 * _OF_A_PIXEL,
        f"{config.batch_size} photographs at once",
        f"give a smaller {flag('batch_size')} or {flag('size')}",
    )


def _told(made: FeatureSet) -> list[str]:
    left_out = sum(len(shard.left_out) for shard in made.shards)
    size = in_words(sum(shard.size for shard in made.shards))
    count = len(made.names)
    told = [f"{left_out} of {count + left_out} pictures could not be used"] * bool(left_out)
    return [*told, f"features of {count} pictures, {size} in {made.folder}"]
