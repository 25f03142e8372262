"""The judge on a device agrees with the one of strings, on sentences, ruins of them and noise."""

import dataclasses
import random

import jax
import numpy as np
import pytest

from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.data.scenes.rendering import sample_facts, scenes_of
from jaxgen.data.scenes.sentences import describe
from jaxgen.metrics.truth import measure
from jaxgen.metrics.truth.batched_claims import GROUPS, MENTIONS
from jaxgen.metrics.truth.batched_verdicts import judge, scene_facts
from jaxgen.metrics.truth.scene_claims import UnreadableCaption, read_claims
from jaxgen.metrics.truth.word_classes import WordClasses

LENGTH = 24
SCENES = scenes_of(sample_facts(np.random.default_rng(3), 400))
SENTENCES = describe(SCENES, seed=3)
VOCABULARY = Vocabulary(
    [*SPECIAL, *sorted({word for some in SENTENCES for s in some for word in s.split()}), "dog"]
)
CLASSES = WordClasses(VOCABULARY)


def ruined(sentence, dice):
    """Words left out, doubled, exchanged or replaced, or two sentences as one."""
    words = sentence.split()
    for _ in range(dice.randint(1, 3)):
        place, other = (dice.randrange(len(words)) for _ in range(2))
        kind = dice.randrange(5)
        if kind == 0 and len(words) > 1:
            del words[place]
        elif kind == 1:
            words.insert(other, words[place])
        elif kind == 2:
            words[place], words[other] = words[other], words[place]
        elif kind == 3:
            words[place] = dice.choice(VOCABULARY.words[4:])
        else:
            words += dice.choice(dice.choice(SENTENCES)).split()
    return " ".join(words[: LENGTH - 2])


# What no writer says, and a captioner may: places that break off, several of the, groups.
ODD = (
    "",
    "a",
    "red",
    "red 3 in the",
    "in the top left",
    "a 3 in the top of the left of a 4",
    "a 3 in the of the top left corner corner",
    "in the top of the middle side a 3 and a 4 are both red",
    "above all three a 3 a 4 a 5 is a 6",
    "both digits above a 3",
    "two small digits and a single red 3 and two large digits three digits are red",
    "all digits are red in the middle",
    "two red digits at the top and a 3 in red",
    "a 3 and a 4 and a 5 all small and large",
    "both three red digits are in the center of the top",
    "a 3 above both a 4 and a 5 and left of a 6",
    "a 1 a 2 a 3 a 4 a 5",
    "digits 3 number digit 4 number on a dark background",
    "a 3 to the left of the top left of a 4",
    "a dog above a 3",
    "a 3 higher than a 4 and bigger than a 5 while smaller than a 6",
)


@pytest.fixture(scope="module")
def pairs():
    dice = random.Random(5)
    found = [(s, scene) for scene, some in zip(SCENES, SENTENCES, strict=True) for s in some]
    found += [(s, dice.choice(SCENES)) for s, _ in found]
    found += [(ruined(s, dice), scene) for s, scene in found for _ in range(2)]
    noise = VOCABULARY.words[4:]
    for _ in range(3000):
        words = [dice.choice(noise) for _ in range(dice.randrange(1, LENGTH - 2))]
        found.append((" ".join(words), dice.choice(SCENES)))
    return found + [(odd, scene) for odd in ODD for scene in SCENES[:40]]


def within_bounds(caption):
    try:
        claims = read_claims(caption)
    except UnreadableCaption:
        return True
    return len(claims.mentions) <= MENTIONS and len(claims.groups) <= GROUPS


def test_it_judges_as_the_judge_of_strings_does(pairs):
    words = np.stack([VOCABULARY.encode(caption, LENGTH)[1:] for caption, _ in pairs])
    facts = scene_facts([scene for _, scene in pairs])
    found = jax.tree.map(np.asarray, jax.jit(lambda w, f: judge(w, f, CLASSES))(words, facts))
    names = [field.name for field in dataclasses.fields(measure.Verdict)]
    seen = dict.fromkeys(("true", "readable", "unreadable", "beyond"), 0)
    for row, (caption, scene) in enumerate(pairs):
        verdict = measure.judge(caption, scene)
        mine = {name: getattr(found, name)[row] for name in names}
        if not within_bounds(caption):
            assert not mine["is_readable"]
            seen["beyond"] += 1
            continue
        wanted = dataclasses.asdict(verdict)
        assert mine == wanted, f"{caption!r} of {scene}: {mine} is not {wanted}"
        seen["true"] += verdict.is_true
        seen["readable" if verdict.is_readable else "unreadable"] += 1
    assert min(seen.values()) > 20, seen
    assert seen["true"] > 2000


def test_a_caption_that_no_end_ends_is_read_to_its_last_word():
    caption = "a 3 above a 4"
    words = VOCABULARY.encode(caption, 12)[None, 1:6]
    scene = next(s for s in SCENES if len(s) == 2)
    found = jax.jit(lambda w, f: judge(w, f, CLASSES))(words, scene_facts([scene]))
    assert int(found.stated[0]) == measure.judge(caption, scene).stated == 3
