"""Judges many captions of scenes at once, on a device: `measure.judge` over arrays.

R rows (captions), L places of words, S mentions, D digits of a scene (3), G groups, J relations, Q
ways to match mentions with different digits.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.scenes.language import relation_holds
from jaxgen.data.scenes.rendering import EMPTY, SLOTS, Digit, Scene
from jaxgen.metrics.truth.batched_claims import MENTIONS, BatchedClaims, read_claims
from jaxgen.metrics.truth.word_classes import FACT_BIT, RELATIONS, WordClasses

Array = jax.Array


class SceneFacts(NamedTuple):
    """What is in scenes; an array for each, with a row a scene."""

    digits: np.ndarray | Array
    """int32 (R,), how many."""
    facts_RD: np.ndarray | Array
    """int32, bits of `word_classes.FACT_BIT`; 0 of a slot without a digit."""
    holds_RJDD: np.ndarray | Array
    """bool, whether a digit stands in a relation to another."""


class Verdicts(NamedTuple):
    """How captions fared, (R,) each; as `measure.Verdict` has it."""

    is_true: Array
    is_readable: Array
    stated: Array
    right: Array
    told: Array
    relations: Array
    relations_right: Array


def scene_facts(scenes: Sequence[Scene]) -> SceneFacts:
    """What is in scenes, as arrays."""
    padded = [[*scene, *[(EMPTY,) * len(Digit._fields)] * (SLOTS - len(scene))] for scene in scenes]
    digits_RDA = np.array(padded, np.int32).reshape(-1, SLOTS, len(Digit._fields))
    is_there_RD = digits_RDA[:, :, 0] != EMPTY
    facts_RD = np.zeros(is_there_RD.shape, np.int32)
    for (name, value), bit in FACT_BIT.items():
        facts_RD |= np.where(digits_RDA[:, :, Digit._fields.index(name)] == value, bit, 0)
    # Of all digits at once: comparisons of attributes hold for arrays too.
    one = Digit(*np.moveaxis(digits_RDA[:, :, None], -1, 0))
    other = Digit(*np.moveaxis(digits_RDA[:, None], -1, 0))
    holds_RJDD = np.stack([relation_holds(name, one, other) for name in RELATIONS], axis=1)
    pairs_R1DD = (is_there_RD[:, :, None] & is_there_RD[:, None])[:, None]
    return SceneFacts(is_there_RD.sum(1).astype(np.int32), facts_RD, holds_RJDD & pairs_R1DD)


def _matchings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every matching in the order of `measure.judge`: of how many mentions, digits, and what."""
    mentions_Q, digits_Q, found = [], [], []
    for mentions, digits in itertools.product(range(MENTIONS + 1), range(1, SLOTS + 1)):
        if mentions <= digits:
            some = [list(enumerate(d)) for d in itertools.permutations(range(digits), mentions)]
        else:
            some = [
                [(mention, digit) for digit, mention in enumerate(places)]
                for places in itertools.permutations(range(mentions), digits)
            ]
        for pairs in some:
            matched_SD = np.zeros((MENTIONS, SLOTS), np.int32)
            for mention, digit in pairs:
                matched_SD[mention, digit] = 1
            mentions_Q.append(mentions)
            digits_Q.append(digits)
            found.append(matched_SD)
    return np.array(mentions_Q), np.array(digits_Q), np.stack(found)


_MENTIONS_Q, _DIGITS_Q, _MATCHED_QSD = _matchings()


def judge(words_RL: Array, scenes: SceneFacts, classes: WordClasses) -> Verdicts:
    """Checks captions against their scenes.

    Args:
        words_RL: int32, without START; each ends with END or NULL, or has L words.
        scenes: of each caption.
        classes: of the vocabulary.

    Returns:
        Verdicts, all int32 or bool; those of `jaxgen.metrics.truth.measure.judge` but for captions
        that state more than `batched_claims` reads.
    """
    claims = read_claims(words_RL, classes)
    bits = jax.lax.population_count
    group_right, group_stated, shared_RD = _groups(claims, scenes)
    right_RSD = claims.facts_RS[:, :, None] & scenes.facts_RD[:, None]
    more_RSD = bits(right_RSD | shared_RD[:, None]) - bits(shared_RD)[:, None]
    relations = claims.relations_RJSS.sum(axis=(1, 2, 3))
    stated = bits(claims.facts_RS).sum(axis=1) + relations + group_stated

    # Products of small whole numbers in float32 are exact, and quicker than those of integers.
    matched_QX = _MATCHED_QSD.reshape(len(_MATCHED_QSD), -1).astype(np.float32)
    # Mention and digit of the subject, mention and digit of the other.
    pairs_QX = np.einsum("qsd,qte->qstde", _MATCHED_QSD, _MATCHED_QSD).astype(np.float32)
    pairs_QX = pairs_QX.reshape(len(pairs_QX), -1)

    def over_matchings(x: Array, table_QX: np.ndarray) -> Array:
        flat_RX = x.reshape(x.shape[0], -1).astype(jnp.float32)
        exact = jax.lax.Precision.HIGHEST
        return jnp.matmul(flat_RX, table_QX.T, precision=exact).astype(jnp.int32)

    stated_RJSS = claims.relations_RJSS.astype(jnp.float32)
    holds_RJDD = jnp.asarray(scenes.holds_RJDD, jnp.float32)
    holding_RSSDD = jnp.einsum(
        "rjst,rjde->rstde", stated_RJSS, holds_RJDD, precision=jax.lax.Precision.HIGHEST
    )
    relations_RQ = over_matchings(holding_RSSDD, pairs_QX)
    right_RQ = over_matchings(bits(right_RSD), matched_QX) + relations_RQ + group_right[:, None]
    told_RQ = over_matchings(more_RSD, matched_QX) + bits(shared_RD).sum(axis=1)[:, None]
    fits = (claims.mentions <= scenes.digits) & (stated > 0)
    true_RQ = fits[:, None] & (right_RQ == stated[:, None])

    is_one_RQ = (claims.mentions[:, None] == _MENTIONS_Q[None]) & (
        scenes.digits[:, None] == _DIGITS_Q[None]
    )
    most = 1 << 10  # above any number of facts in a caption
    order_RQ = (true_RQ * most + right_RQ) * most + told_RQ
    best_R1 = jnp.argmax(jnp.where(is_one_RQ, order_RQ, -1), axis=1)[:, None]

    def chosen(x_RQ: Array) -> Array:
        found = jnp.take_along_axis(x_RQ, best_R1, axis=1)[:, 0]
        return jnp.where(claims.is_readable, found, jnp.zeros_like(found))

    def of_readable(x_R: Array) -> Array:
        return jnp.where(claims.is_readable, x_R, 0)

    return Verdicts(
        is_true=chosen(true_RQ),
        is_readable=claims.is_readable,
        stated=of_readable(stated),
        right=chosen(right_RQ),
        told=chosen(told_RQ),
        relations=of_readable(relations),
        relations_right=chosen(relations_RQ),
    )


def _groups(claims: BatchedClaims, scenes: SceneFacts) -> tuple[Array, Array, Array]:
    """Of numbers of digits: what is right and what is stated, (R,), and which facts they tell."""
    bits = jax.lax.population_count
    slots_1D = jnp.arange(SLOTS)[None]
    is_there_RD = slots_1D < scenes.digits[:, None]
    facts_RGD = claims.facts_RG[:, :, None] & scenes.facts_RD[:, None]
    having_RG = ((facts_RGD == claims.facts_RG[:, :, None]) & is_there_RD[:, None]).sum(axis=2)
    of_all_RD = jnp.where(is_there_RD, scenes.facts_RD, -1)
    common_R = of_all_RD[:, 0] & of_all_RD[:, 1] & of_all_RD[:, 2]
    is_counted_RG = claims.count_RG >= 0
    is_count_RG = claims.count_RG == scenes.digits[:, None]

    exact_RG = (having_RG == claims.count_RG).astype(jnp.int32)
    every_RG = bits(claims.facts_RG & common_R[:, None]) + (is_counted_RG & is_count_RG)
    right_RG = jnp.where(claims.is_every_RG, every_RG, exact_RG)
    stated_RG = jnp.where(claims.is_every_RG, bits(claims.facts_RG) + is_counted_RG, 1)
    is_there_RG = jnp.arange(claims.count_RG.shape[1])[None] < claims.groups[:, None]
    right_RG, stated_RG = right_RG * is_there_RG, stated_RG * is_there_RG
    tells_RG1 = (is_there_RG & (right_RG == stated_RG))[:, :, None]
    told_RGD = jnp.where(tells_RG1 & is_there_RD[:, None], facts_RGD, 0)
    shared_RD = told_RGD[:, 0]
    for group in range(1, told_RGD.shape[1]):
        shared_RD |= told_RGD[:, group]
    return right_RG.sum(axis=1), stated_RG.sum(axis=1), shared_RD
