"""Decoding for any captioner, in one compiled program: greedy, drawn at random, or beam search.

Shapes: N captions, R rows (N, or N·B in `beam_search`), V vocabulary, L maximum length.

A captioner is given by its `step(carry, words_R) -> (carry, logits_RV)` and the carry that it
starts from, whose leaves lead with the row axis:

    step = functools.partial(module.apply, params, method="step")
    carry = module.apply(params, features, method="start")
    words_NL, log_probability_N = decoding.greedy(step, carry, vocabulary, max_length=30)

All functions are pure and can be jitted; the loop ends as soon as every caption has ended. Words
after START are returned, END included where it was reached, then NULL. Log-probabilities, in nats,
are those of the returned words under the model itself: temperature, truncation and banned words
steer the choice only.
"""

from jaxgen.captioning.decoding.beam_search import beam_search
from jaxgen.captioning.decoding.captioner_steps import SpecialWords
from jaxgen.captioning.decoding.decoding import Decoding
from jaxgen.captioning.decoding.word_by_word import greedy, sample

__all__ = ["Decoding", "SpecialWords", "beam_search", "greedy", "sample"]
