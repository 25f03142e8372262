"""Words, or characters, and their indices in captions: START, words, END, then NULLs."""

import collections
from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from jaxgen.errors import JaxgenError
from jaxgen.settings import shortened

Units = Literal["words", "characters"]
NULL, START, END, UNK = SPECIAL = ("<NULL>", "<START>", "<END>", "<UNK>")


class Vocabulary:
    """The words of captions by index; characters, the space among them, may stand for words.

    Attributes:
        words: tuple of all words, special ones included; a word's index is its place.
        units: what they are.
        null, start, end, unk: indices of the special words.
    """

    def __init__(self, words: Sequence[str], units: Units = "words") -> None:
        """Takes the words in the order of their indices.

        Raises:
            JaxgenError: a word is not a string or appears twice, or a special word is missing.
        """
        self.words, self.units = tuple(words), units
        if strange := [word for word in self.words if not _is_text(word)]:
            shown = shortened(ascii(strange[0]))
            raise JaxgenError(f"the vocabulary has {shown}, which is no text; give words")
        self._index = {word: index for index, word in enumerate(self.words)}
        if missing := [word for word in SPECIAL if word not in self._index]:
            raise JaxgenError(f"the vocabulary lacks {', '.join(missing)}; add them to its words")
        if len(self._index) < len(self.words):
            [(word, _)] = collections.Counter(self.words).most_common(1)
            raise JaxgenError(
                f"the vocabulary has the word {shortened(repr(word))} twice; keep one of them"
            )
        self.null, self.start, self.end, self.unk = (self._index[word] for word in SPECIAL)

    def __len__(self) -> int:
        """How many words there are, special ones included."""
        return len(self.words)

    @classmethod
    def of_sentences(cls, sentences: Iterable[str], least: int) -> "Vocabulary":
        """The special words, then those that sentences use at least `least` times, by frequency."""
        counts = collections.Counter(word for s in sentences for word in s.split())
        kept = [word for word, count in counts.items() if count >= least]
        return cls([*SPECIAL, *sorted(kept, key=lambda word: (-counts[word], word))])

    def encode(self, sentence: str, length: int = 17) -> np.ndarray:
        """A sentence as a caption; unknown words become UNK.

        Args:
            sentence: words separated by spaces, or characters; at most `length - 2`.
            length: tokens of the caption, padding included.

        Returns:
            int32 (length,).

        Raises:
            JaxgenError: the sentence does not fit.
        """
        words = sentence.split() if self.units == "words" else sentence
        if len(words) > length - 2:
            raise JaxgenError(
                f"{sentence!r} has {len(words)} {self.units}; at most {length - 2} fit"
            )
        tokens = [self.start, *(self._index.get(word, self.unk) for word in words), self.end]
        return np.array(tokens + [self.null] * (length - len(tokens)), np.int32)

    @overload
    def decode(self, captions: Sequence[int], markers: bool = ...) -> str: ...

    @overload
    def decode(self, captions: Sequence[Sequence[int]], markers: bool = ...) -> list[str]: ...

    # The type of an array does not say how many axes it has.
    @overload
    def decode(self, captions: npt.ArrayLike, markers: bool = ...) -> Any: ...

    def decode(self, captions: npt.ArrayLike, markers: bool = False) -> str | list[str]:
        """Indices as words: NULL is skipped, and nothing follows the first END.

        Args:
            captions: integers (T,) for one caption, or (N, T) for many.
            markers: keep START and END in the text, as the course notebook does.

        Returns:
            The words joined by spaces, or the characters by nothing; for many captions a list of N
            strings.

        Raises:
            ValueError: `captions` has another rank.
            IndexError: an index is outside the vocabulary.
        """
        captions = np.asarray(captions)
        if captions.ndim == 2:
            return [self._sentence(caption_T, markers) for caption_T in captions]
        if captions.ndim != 1:
            raise ValueError(f"captions must be (T,) or (N, T), not of shape {captions.shape}")
        return self._sentence(captions, markers)

    def _sentence(self, caption_T: np.ndarray, markers: bool) -> str:
        return (" " if self.units == "words" else "").join(self.tokens(caption_T, markers))

    def tokens(self, caption_T: npt.ArrayLike, markers: bool = False) -> list[str]:
        """The words of one caption as a list; see `decode`."""
        skipped = {self.null} if markers else {self.null, self.start, self.end}
        words = []
        for index in np.asarray(caption_T).tolist():
            if not 0 <= index < len(self.words):
                raise IndexError(f"index {index} is outside a vocabulary of {len(self.words)}")
            if index not in skipped:
                words.append(self.words[index])
            if index == self.end:
                break
        return words


def _is_text(word: Any) -> bool:
    """Whether it can be written: JSON may hold half of a pair of code units, which is no text."""
    try:
        str.encode(word)
    except (TypeError, UnicodeEncodeError):
        return False
    return True
