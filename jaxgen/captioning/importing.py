"""A captioner from the arrays of a PyTorch state dict and its vocabulary."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from jaxgen.captioning import torch_captioners
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.trained import TrainedCaptioner
from jaxgen.data import ordinary_files
from jaxgen.errors import JaxgenError
from jaxgen.nn.torch_layout import Arrays
from jaxgen.settings import flag
from jaxgen.training import configs
from jaxgen.training.exporting.exportable import nested
from jaxgen.training.task import Saved

_ADVICE = "give another --vocabulary"
_MOST_BYTES = 64 * 2**20


def words_of(path: Path) -> tuple[str, ...]:
    """The words of a vocabulary in the order of their indices.

    Args:
        path: of JSON: a list, or an object with `idx_to_word`, a list or an object by indices, as
            the course's is; or with `word_to_idx`.

    Raises:
        JaxgenError: it cannot be read, or holds no words with indices from 0 on.
    """
    text = ordinary_files.text(path, _ADVICE, _MOST_BYTES)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JaxgenError(f"{path} is not JSON ({error}); {_ADVICE}") from error
    if isinstance(value, dict):
        value = value.get("idx_to_word") or value.get("word_to_idx") or value
    if isinstance(value, dict):
        pairs = value.items()
        by_index = {
            str(index if isinstance(index, int) else word): word
            if isinstance(index, int)
            else index
            for word, index in pairs
        }
        value = [by_index.get(str(index)) for index in range(len(by_index))]
    words = [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
    if not words or len(words) < len(value):
        raise JaxgenError(f"{path} holds no words with indices from 0 on; {_ADVICE}")
    return tuple(words)


def imported(
    config: CaptionConfig, arrays: Arrays, words: Sequence[str], tokens: int = 0
) -> TrainedCaptioner:
    """A trained captioner.

    Args:
        config: of the experiment; widths are taken from the arrays.
        arrays: of a captioner's state dict, float32, by their names in the file.
        words: its vocabulary.
        tokens: feature vectors of an image; 0 for one that is no list.

    Raises:
        JaxgenError: they are not those of such a captioner, or of another vocabulary.
    """
    found = torch_captioners.from_torch(config.captioner, arrays)
    if found.vocab_size != len(words):
        raise JaxgenError(
            f"the file's captioner knows {found.vocab_size} words, and the vocabulary has "
            f"{len(words)}; {_ADVICE}"
        )
    if found.positions is not None and found.positions < config.max_length:
        raise JaxgenError(
            f"the file's captioner knows {found.positions} positions: give {flag('max_length')} "
            f"{found.positions}"
        )
    config = dataclasses.replace(config, captioner=found.captioner)
    if tokens and not isinstance(found.captioner, Transformer):
        raise JaxgenError("a recurrent captioner reads one vector an image: leave --tokens out")
    about = AboutCaptions(tuple(words), (*([tokens] if tokens else []), found.features), examples=1)
    state = {"params": nested(found.params)}
    return config.restored(Saved(state, configs.to_json(about, AboutCaptions)))
