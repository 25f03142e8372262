"""CIDEr-D as a reward, computed on the device from the words' indices.

The figure of `jaxgen.metrics.captions.cider` for each caption by itself. The frequency of an n-gram
is the number of training images that have it in one of their captions, as in Rennie et al. 2017.

N images, K captions of an image, L places of words, R references of an image, T their places, M
training images, C training captions, U n-grams.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.captioning.rewards import ngrams
from jaxgen.captioning.rewards.base import Reward, Scorer
from jaxgen.data.captions.base import CaptionData
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions.base import LONGEST
from jaxgen.metrics.captions.cider import LENGTH_DEVIATION
from jaxgen.settings import flag, named
from jaxgen.settings.memory import refuse_too_much

Array = jax.Array
PyTree = Any


@named("cider")
@dataclass(frozen=True)
class Cider(Reward):
    """CIDEr-D against the captions of the image that people wrote, in [0, 10]."""

    def scorer(self, data: CaptionData, count_end: bool) -> Scorer:
        vocabulary = data.vocabulary
        if vocabulary.units != "words":
            raise JaxgenError(
                f"{flag('objective.reward')} cider compares words: use {flag('data.units')} words"
            )
        images = data.train.features.shape[0]
        captions_CT, image_C = data.train.captions["captions"], data.train.captions["image_index"]
        tokens_CT = captions_CT[:, 1:]
        if not count_end:
            tokens_CT = np.where(tokens_CT == vocabulary.end, vocabulary.null, tokens_CT)
        missing = max(0, LONGEST - tokens_CT.shape[1])
        tokens_CT = np.pad(tokens_CT, ((0, 0), (0, missing)), constant_values=vocabulary.null)
        found = ngrams.ngrams(tokens_CT, vocabulary.null, len(vocabulary), LONGEST)
        rarest = float(np.log(len(np.unique(image_C))))
        rarities = [rarest - np.log(_images_with(of, image_C, images)) for of in found]
        norms_C4 = np.stack(
            [_norms(of, rarity) for of, rarity in zip(found, rarities, strict=True)], axis=1
        )
        return Scorer(
            _by_image(tokens_CT, norms_C4, image_C, images, vocabulary.null),
            {
                "levels": [of.level for of in found],
                # One more, to look up where there are none.
                "rarity": [np.append(rarity, 0).astype(np.float32) for rarity in rarities],
            },
            _score(vocabulary, count_end, rarest, tuple(of.most for of in found)),
        )


def _images_with(found: ngrams.Found, image_C: np.ndarray, images: int) -> np.ndarray:
    """How many images have each n-gram, (U,)."""
    rows, places = np.nonzero(found.number_CT >= 0)
    pairs = np.unique(found.number_CT[rows, places] * images + image_C[rows])
    return np.bincount(pairs // images, minlength=len(found.level.last_word))


def _norms(found: ngrams.Found, rarity_U: np.ndarray) -> np.ndarray:
    """The length of each caption's vector, (C,)."""
    rows, places = np.nonzero(found.number_CT >= 0)
    size = max(1, len(rarity_U))
    keys, times = np.unique(rows * size + found.number_CT[rows, places], return_counts=True)
    weights = times * rarity_U[keys % size] if len(keys) else np.zeros(0)
    return np.sqrt(np.bincount(keys // size, weights**2, minlength=len(found.number_CT)))


def _by_image(
    tokens_CT: np.ndarray, norms_C4: np.ndarray, image_C: np.ndarray, images: int, null: int
) -> dict[str, np.ndarray]:
    """The references of each image, as many as the image with the most of them has."""
    order = np.argsort(image_C, kind="stable")
    counts_M = np.bincount(image_C, minlength=images)
    most = int(counts_M.max())
    # Each caption's place among those of its image.
    sorted_C = image_C[order]
    place_C = np.arange(len(order)) - (np.cumsum(counts_M) - counts_M)[sorted_C]
    size = images * most * (4 * tokens_CT.shape[1] + 4 * LONGEST)
    refuse_too_much(
        size, "the references of all images", f"give a smaller {flag('data.max_train')}"
    )
    tokens_MRT = np.full((images, most, tokens_CT.shape[1]), null, np.int32)
    norms_MR4 = np.zeros((images, most, LONGEST), np.float32)
    tokens_MRT[sorted_C, place_C] = tokens_CT[order]
    norms_MR4[sorted_C, place_C] = norms_C4[order]
    return {"tokens": tokens_MRT, "norms": norms_MR4, "count": counts_M.astype(np.int32)}


def _score(vocabulary: Vocabulary, count_end: bool, rarest: float, most: tuple[int, ...]) -> Any:
    null, end, unmatched = vocabulary.null, vocabulary.end, len(vocabulary)

    def score(shared: PyTree, of_images: PyTree, words_NKL: Array) -> Array:
        missing = max(0, LONGEST - words_NKL.shape[2])
        words_NKL = jnp.pad(words_NKL, ((0, 0), (0, 0), (0, missing)), constant_values=null)
        if not count_end:
            words_NKL = jnp.where(words_NKL == end, null, words_NKL)
        # An UNK stands for some other word than one of a reference.
        words_NKL = jnp.where(words_NKL == vocabulary.unk, unmatched, words_NKL)
        numbers = ngrams.numbers(shared["levels"], most, words_NKL)
        is_word_NKL, tokens_NRT = words_NKL != null, of_images["tokens"]
        length_NK1 = jnp.sum(is_word_NKL, axis=2)[:, :, None]
        length_N1R = jnp.sum(tokens_NRT != null, axis=2)[:, None]
        longer_NKR = (length_NK1 - length_N1R).astype(jnp.float32)
        penalty_NKR = jnp.exp(-(longer_NKR**2) / (2 * LENGTH_DEVIATION**2))

        same_word_NKLL = (words_NKL[..., None] == words_NKL[..., None, :]) & is_word_NKL[..., None]
        match_word_NKRLT = (
            words_NKL[:, :, None, :, None] == tokens_NRT[:, None, :, None]
        ) & is_word_NKL[:, :, None, :, None]
        same_NKLL, match_NKRLT = same_word_NKLL, match_word_NKRLT
        total_NKR = jnp.zeros_like(penalty_NKR)
        for n, (number_NKL, rarity_U) in enumerate(zip(numbers, shared["rarity"], strict=True)):
            if n:  # n-grams are the same where those without their last word are, and that word
                same_NKLL = same_NKLL[..., :-1, :-1] & same_word_NKLL[..., n:, n:]
                match_NKRLT = match_NKRLT[..., :-1, :-1] & match_word_NKRLT[..., n:, n:]
            is_known_NKL = number_NKL >= 0
            known_NKL = jnp.asarray(rarity_U)[jnp.maximum(number_NKL, 0)]
            rarity_NKL = jnp.where(is_known_NKL, known_NKL, rarest)
            is_there_NKL = is_word_NKL[..., n:]
            places = same_NKLL.shape[-1]
            is_earlier_LL = np.tril(np.ones((places, places), bool), -1)[None, None]
            is_first_NKL = is_there_NKL & ~jnp.any(same_NKLL & is_earlier_LL, axis=3)
            weight_NKL = jnp.sum(same_NKLL, axis=3) * rarity_NKL
            weight_NKL = jnp.where(is_first_NKL, weight_NKL, 0)
            norm_NK1 = jnp.sqrt(jnp.sum(weight_NKL**2, axis=2))[:, :, None]
            wanted_NKRL = jnp.sum(match_NKRLT, axis=4) * rarity_NKL[:, :, None]
            dot_NKR = jnp.sum(
                jnp.minimum(weight_NKL[:, :, None], wanted_NKRL) * wanted_NKRL, axis=3
            )
            norms_NKR = norm_NK1 * of_images["norms"][:, None, :, n]
            total_NKR += jnp.where(
                norms_NKR > 0, dot_NKR / jnp.where(norms_NKR > 0, norms_NKR, 1), 0
            )
        count_N1 = jnp.maximum(of_images["count"], 1)[:, None]
        return 10 / LONGEST * jnp.sum(penalty_NKR * total_NKR, axis=2) / count_N1

    return score
