"""Captions spelt out: from words to characters.

N captions, T tokens of a caption in words, L characters of a word with the space before it, C
tokens of a caption in characters.
"""

import numpy as np

from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary

SPACE = " "
_ROWS = 2**14  # captions spelt at a time


def character_vocabulary(words: Vocabulary) -> Vocabulary:
    """The special words, the space, and the characters of all other words in sorted order."""
    characters = set("".join(word for word in words.words if word not in SPECIAL)) - {SPACE}
    return Vocabulary([*SPECIAL, SPACE, *sorted(characters)], units="characters")


def spell(captions_NT: np.ndarray, words: Vocabulary, characters: Vocabulary) -> np.ndarray:
    """The same captions in characters, a space between words; UNK stays one token.

    Args:
        captions_NT: integers, captions in `words`.
        words: their vocabulary.
        characters: its `character_vocabulary`.

    Returns:
        int32 (N, C), where C is what the longest of them needs.
    """
    spelt_VL = _spellings(words, characters)
    parts = []
    for start in range(0, len(captions_NT), _ROWS):
        part_NT = captions_NT[start : start + _ROWS]
        spelt_NTL = spelt_VL[part_NT]
        # No space between START and the first word.
        spelt_NTL[:, 1, 0] = np.where(
            part_NT[:, 1] == words.end, spelt_NTL[:, 1, 0], characters.null
        )
        flat = spelt_NTL.reshape(len(part_NT), -1)
        is_used = flat != characters.null
        lengths_N = is_used.sum(axis=1)
        part_NC = np.full((len(part_NT), lengths_N.max()), characters.null, np.int32)
        part_NC[np.arange(part_NC.shape[1])[None] < lengths_N[:, None]] = flat[is_used]
        parts.append(part_NC)
    longest = max(part.shape[1] for part in parts)
    return np.concatenate([widen(part_NC, longest, characters) for part_NC in parts])


def widen(captions_NC: np.ndarray, length: int, vocabulary: Vocabulary) -> np.ndarray:
    """Captions padded with NULL to `length` tokens."""
    padding = ((0, 0), (0, length - captions_NC.shape[1]))
    return np.pad(captions_NC, padding, constant_values=vocabulary.null)


def _spellings(words: Vocabulary, characters: Vocabulary) -> np.ndarray:
    """For each word the characters that it adds to a caption, (V, L), padded with NULL."""
    index = {character: i for i, character in enumerate(characters.words)}
    special = {
        words.null: [],
        words.start: [characters.start],
        words.end: [characters.end],
        words.unk: [index[SPACE], characters.unk],
    }
    spelt = [
        special[i] if i in special else [index[character] for character in SPACE + word]
        for i, word in enumerate(words.words)
    ]
    spelt_VL = np.full((len(words), max(map(len, spelt))), characters.null, np.int32)
    for row, indices in zip(spelt_VL, spelt, strict=True):
        row[: len(indices)] = indices
    return spelt_VL
