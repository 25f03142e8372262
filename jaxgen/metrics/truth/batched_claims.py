"""Reads many captions of scenes at once, on a device: `scene_claims.read_claims` over arrays.

The same pass over the words, one place of all captions at a time. What a caption may state is
bounded: one with more than `MENTIONS` digits or `GROUPS` numbers of digits counts as unreadable (a
scene has three digits, so that the former is not true either).

R rows (captions), L places of words, S mentions, G groups, J relations.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.metrics.truth.word_classes import (
    COLUMNS,
    FACT_BIT,
    MIDDLE,
    RELATIONS,
    ROWS,
    WordClasses,
    Words,
)

Array = jax.Array

MENTIONS, GROUPS = 4, 3
_NONE = -1


class BatchedClaims(NamedTuple):
    """What captions state; sets of facts are int32 bits, as `word_classes.FACT_BIT` has them."""

    is_readable: Array
    """(R,); what the others hold of a caption that is not means nothing."""
    mentions: Array
    """(R,), how many."""
    facts_RS: Array
    relations_RJSS: Array
    """How often the relation J is stated of a subject and another mention."""
    groups: Array
    """(R,), how many."""
    count_RG: Array
    """-1 where none is told."""
    is_every_RG: Array
    facts_RG: Array


class _Reader(NamedTuple):
    """`scene_claims._Reader`'s state for every caption; all but the sets are (R,)."""

    done: Array
    failed: Array
    skip: Array  # words that belong to what was read before
    mentions: Array
    facts_RS: Array
    groups: Array
    count_RG: Array
    is_every_RG: Array
    facts_RG: Array
    relations_RJSS: Array
    current: Array  # a mention, MENTIONS + a group, or none
    adjectives: Array
    place: Array
    in_place: Array  # within "in the top left corner"
    read_place: Array
    open_group: Array
    open_count: Array
    open_every: Array
    distribute: Array
    open_relation: Array
    relation: Array
    subject: Array
    others_RS: Array
    needed: Array
    last_subject: Array


def read_claims(words_RL: Array, classes: WordClasses) -> BatchedClaims:
    """Reads the facts that captions state.

    Args:
        words_RL: int32, without START; each ends with END or NULL, or has L words.
        classes: of the vocabulary.

    Returns:
        BatchedClaims.
    """
    words = classes.of(words_RL)
    by_place = jax.tree.map(lambda x_RL: jnp.swapaxes(x_RL, 0, 1), words)
    state, _ = jax.lax.scan(lambda s, w: (_read(s, w), None), _fresh(words_RL[:, 0]), by_place)
    return BatchedClaims(
        ~state.failed,
        state.mentions,
        state.facts_RS,
        state.relations_RJSS,
        state.groups,
        state.count_RG,
        state.is_every_RG,
        state.facts_RG,
    )


def _fresh(like_R: Array) -> _Reader:
    """Before the first word; made of an array, so that it is divided among devices as that is."""
    zero, no = jnp.zeros_like(like_R, jnp.int32), jnp.zeros_like(like_R, bool)

    def of(x_R: Array, *sizes: int) -> Array:
        return jnp.broadcast_to(x_R.reshape(-1, *(1 for _ in sizes)), (x_R.shape[0], *sizes))

    return _Reader(
        done=no,
        failed=no,
        skip=zero,
        mentions=zero,
        facts_RS=of(zero, MENTIONS),
        groups=zero,
        count_RG=of(zero, GROUPS),
        is_every_RG=of(no, GROUPS),
        facts_RG=of(zero, GROUPS),
        relations_RJSS=of(zero, len(RELATIONS), MENTIONS, MENTIONS),
        current=zero + _NONE,
        adjectives=zero,
        place=zero,
        in_place=no,
        read_place=zero,
        open_group=no,
        open_count=zero,
        open_every=no,
        distribute=no,
        open_relation=no,
        relation=zero,
        subject=zero,
        others_RS=of(no, MENTIONS),
        needed=zero,
        last_subject=zero + _NONE,
    )


def _read(s: _Reader, w: Words) -> _Reader:
    """One place of all captions."""
    act = ~s.done & ~s.failed
    skipped = act & (s.skip > 0)
    s = s._replace(skip=jnp.where(skipped, s.skip - 1, s.skip))
    act &= ~skipped

    # Within a place: it takes up words, or ends before this one.
    inside = act & s.in_place
    of_the = inside & w.is_of_the_place
    named = s.read_place != 0
    taken = inside & ~of_the & (w.place != 0) & ~(named & w.is_side_of)
    s = s._replace(
        skip=jnp.where(of_the, 1, s.skip),
        read_place=jnp.where(taken, s.read_place | w.place, s.read_place),
    )
    ends_place = inside & ~of_the & ~taken
    s = _attach(s, _whole_place(s.read_place), ends_place)
    s = s._replace(in_place=s.in_place & ~ends_place)
    act &= ~of_the & ~taken & ~(ends_place & w.is_place_noun)

    adjective = act & (w.adjective != 0)
    s = s._replace(adjectives=jnp.where(adjective, s.adjectives | w.adjective, s.adjectives))
    act &= ~adjective & ~w.is_before_value
    mention = act & (w.is_noun | (w.value != 0))
    s = _mention(s, w.value, mention)
    act &= ~mention
    group = act & w.is_group_noun
    s = _name_group(s, group)
    act &= ~group

    s = _settle(s, act)
    ends = act & w.ends
    left_over = (s.place != 0) | s.open_group | s.distribute | s.open_relation
    s = s._replace(done=s.done | ends, failed=s.failed | (ends & left_over))
    act &= ~ends

    relates = act & (w.relation >= 0)
    s = _relate(s, w.relation, w.is_after_joint, relates)
    act &= ~relates
    place = act & w.begins_place
    act &= ~place
    background = act & w.is_background
    act &= ~background
    ahead = jnp.where(relates, w.relation_words - 1, jnp.where(place, 1, 3))
    s = s._replace(
        skip=jnp.where(relates | place | background, ahead, s.skip),
        in_place=s.in_place | place,
        read_place=jnp.where(place, 0, s.read_place),
    )
    counts = act & (w.count > 0)
    fills = s.open_group & (s.open_count == _NONE)
    s = s._replace(
        open_count=jnp.where(counts, w.count, s.open_count),
        open_every=s.open_every & ~(counts & ~fills),
        open_group=s.open_group | counts,
    )
    act &= ~counts
    quantifies = act & (w.is_both | w.is_all)
    s = _quantify(s, w, quantifies)
    act &= ~quantifies
    alone = act & w.is_alone
    zero = jnp.zeros_like(s.mentions)
    s = _add_group(s, zero + 1, zero > 0, zero, alone)
    return s._replace(failed=s.failed | (act & ~alone & w.is_unknown))


def _whole_place(place: Array) -> Array:
    """Facts of a place: the middle is of what is not told otherwise."""
    is_middle = (place & MIDDLE) != 0
    row = jnp.where(is_middle & ((place & ROWS) == 0), FACT_BIT["row", 1], 0)
    column = jnp.where(is_middle & ((place & COLUMNS) == 0), FACT_BIT["column", 1], 0)
    return (place & (ROWS | COLUMNS)) | row | column


def _settle(s: _Reader, where: Array) -> _Reader:
    """Gives attributes that no noun followed to the digit before them."""
    where &= (s.adjectives != 0) & ~s.open_group
    s = s._replace(failed=s.failed | (where & (s.current == _NONE)))
    facts = s.adjectives
    s = s._replace(adjectives=jnp.where(where, 0, s.adjectives))
    return _attach(s, facts, where)


def _attach(s: _Reader, facts: Array, where: Array) -> _Reader:
    failed = where & s.open_group
    where &= ~failed
    shared = where & s.distribute
    own = where & ~s.distribute
    slots_S, slots_G = jnp.arange(MENTIONS)[None], MENTIONS + jnp.arange(GROUPS)[None]
    to_mention_RS = (shared[:, None] & (slots_S < s.mentions[:, None])) | (
        own[:, None] & (slots_S == s.current[:, None])
    )
    to_group_RG = own[:, None] & (slots_G == s.current[:, None])
    return s._replace(
        failed=s.failed | failed,
        facts_RS=jnp.where(to_mention_RS, s.facts_RS | facts[:, None], s.facts_RS),
        facts_RG=jnp.where(to_group_RG, s.facts_RG | facts[:, None], s.facts_RG),
        place=jnp.where(own & (s.current == _NONE), s.place | facts, s.place),
        distribute=s.distribute & ~shared,
    )


def _mention(s: _Reader, facts: Array, where: Array) -> _Reader:
    failed = where & (s.open_group | (s.mentions == MENTIONS))
    where &= ~failed
    index = s.mentions
    slots_S = jnp.arange(MENTIONS)[None]
    is_it_RS = where[:, None] & (slots_S == index[:, None])
    facts = facts | s.adjectives | s.place

    relation = where & s.open_relation
    is_other = relation & (s.others_RS.sum(axis=1) < s.needed)
    subject = jnp.where(relation & ~is_other, index, s.subject)
    others_RS = s.others_RS | (is_it_RS & is_other[:, None])
    is_whole = relation & (others_RS.sum(axis=1) == s.needed) & (subject != _NONE)
    names_J = jnp.arange(len(RELATIONS))[None]
    stated_RJSS = (
        (is_whole[:, None] & (names_J == s.relation[:, None]))[:, :, None, None]
        & (slots_S == subject[:, None])[:, None, :, None]
        & others_RS[:, None, None, :]
    )
    return s._replace(
        failed=s.failed | failed,
        facts_RS=jnp.where(is_it_RS, facts[:, None], s.facts_RS),
        adjectives=jnp.where(where, 0, s.adjectives),
        place=jnp.where(where, 0, s.place),
        current=jnp.where(where, index, s.current),
        mentions=index + where,
        subject=subject,
        others_RS=others_RS,
        open_relation=s.open_relation & ~is_whole,
        last_subject=jnp.where(is_whole, subject, s.last_subject),
        relations_RJSS=s.relations_RJSS + stated_RJSS,
    )


def _relate(s: _Reader, name: Array, after_joint: Array, where: Array) -> _Reader:
    failed = where & (s.open_relation | s.open_group)
    where &= ~failed
    newest = jnp.where(s.mentions > 0, s.mentions - 1, _NONE)
    goes_on = after_joint & (s.last_subject != _NONE) & (s.mentions > 0)
    subject = jnp.where(goes_on, s.last_subject, newest)
    return s._replace(
        failed=s.failed | failed,
        open_relation=s.open_relation | where,
        relation=jnp.where(where, name, s.relation),
        subject=jnp.where(where, subject, s.subject),
        others_RS=s.others_RS & ~where[:, None],
        needed=jnp.where(where, 1, s.needed),
    )


def _quantify(s: _Reader, w: Words, where: Array) -> _Reader:
    group = where & w.is_before_group
    related = where & ~group & s.open_relation
    rest = where & ~group & ~related
    distribute = rest & ((s.mentions == 2) | (w.is_all & (s.mentions > 2)))
    return s._replace(
        open_group=s.open_group | group,
        open_count=jnp.where(group, jnp.where(w.is_both, 2, _NONE), s.open_count),
        open_every=s.open_every | group,
        needed=jnp.where(related, jnp.where(w.is_both, 2, 3), s.needed),
        distribute=s.distribute | distribute,
        failed=s.failed | (rest & ~distribute),
    )


def _name_group(s: _Reader, where: Array) -> _Reader:
    failed = where & ~s.open_group
    where &= ~failed
    index = s.groups
    s = s._replace(failed=s.failed | failed)
    s = _add_group(s, s.open_count, s.open_every, s.adjectives | s.place, where)
    return s._replace(
        current=jnp.where(where, MENTIONS + index, s.current),
        adjectives=jnp.where(where, 0, s.adjectives),
        place=jnp.where(where, 0, s.place),
        open_group=s.open_group & ~where,
    )


def _add_group(s: _Reader, count: Array, every: Array, facts: Array, where: Array) -> _Reader:
    failed = where & (s.groups == GROUPS)
    where &= ~failed
    is_it_RG = where[:, None] & (jnp.arange(GROUPS)[None] == s.groups[:, None])
    return s._replace(
        failed=s.failed | failed,
        count_RG=jnp.where(is_it_RG, count[:, None], s.count_RG),
        is_every_RG=jnp.where(is_it_RG, every[:, None], s.is_every_RG),
        facts_RG=jnp.where(is_it_RG, facts[:, None], s.facts_RG),
        groups=s.groups + where,
    )
