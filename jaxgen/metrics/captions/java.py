"""METEOR and SPICE, whose Java programs come with pycocoevalcap: `pip install pycocoevalcap`.

Tokens are those of `jaxgen.metrics.captions.base`.
"""

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions.base import CaptionMetric, References

METEOR_COUNTS = 23
"""Of an image."""

_CORENLP = "stanford-corenlp-3.6.0.jar"


def measure(made: Sequence[str], references: References) -> tuple[dict[str, float], list[str]]:
    """The metrics that need Java, METEOR and SPICE, where they are available.

    Args:
        made, references: as for `jaxgen.metrics.captions.report.measure`.

    Returns:
        {key: figure} of every `CaptionMetric` with `needs_java` that can be measured here, and for
        each that cannot a sentence that says what it needs.
    """
    figures, missing = {}, []
    for metric in CaptionMetric.ordered():
        if metric.needs_java:
            try:
                figures[metric.key] = metric.figure(made, references)
            except JaxgenError as error:
                missing.append(str(error))
    return {key: figure for key, figure in figures.items() if figure is not None}, missing


def meteor_score(made: Sequence[str], references: References) -> float:
    """METEOR 1.5: alignment of words, stems, synonyms and paraphrases.

    Args:
        made, references: as for `jaxgen.metrics.captions.report.measure`.

    Returns:
        A number in [0, 1].

    Raises:
        JaxgenError: pycocoevalcap or Java is missing, or the program failed.

    Reference:
        Denkowski and Lavie 2014, https://aclanthology.org/W14-3348.
    """
    _package("METEOR")
    from pycocoevalcap.meteor.meteor import Meteor

    scorer = Meteor()
    try:
        with scorer.meteor_p:  # which the package kills without closing its pipes
            return float(scorer.compute_score(*_oracle_form(made, references))[0])
    except (OSError, ValueError) as error:
        scorer.lock.release()  # which the package takes again when it is garbage-collected
        raise JaxgenError(
            f"METEOR's program failed ({error}); it needs a Java that runs and 2 GB of memory"
        ) from error


def meteor_counts(made: Sequence[str], references: References) -> np.ndarray:
    """What METEOR sums over the corpus, for each image, as its program counts it.

    Args:
        made, references: as for `jaxgen.metrics.captions.report.measure`.

    Returns:
        float64 (N, `METEOR_COUNTS`): words and function words of caption and of the best reference;
        for exact matches, stems, synonyms and paraphrases the content and the function words that
        match in both; chunks, and matched words of both.

    Raises:
        JaxgenError: as `meteor_score`.
    """
    _package("METEOR")
    from pycocoevalcap.meteor.meteor import Meteor

    scorer = Meteor()
    try:
        with scorer.meteor_p, scorer.lock:
            # The program takes a line for each image, with ||| between sentences.
            lines = [
                scorer._stat(_one_line(caption), [_one_line(reference) for reference in some])
                for caption, some in zip(made, references, strict=True)
            ]
            scorer.meteor_p.kill()
        counts = np.array([line.split() for line in lines], np.float64).reshape(-1, METEOR_COUNTS)
        # The program adds no fragment for a caption that is its reference, word for word.
        chunks, all_match = counts[:, 20], (counts[:, 21:] == counts[:, :2]).all(axis=1)
        counts[:, 20] = np.where(all_match & (chunks == 1), 0, chunks)
        return counts
    except (OSError, ValueError) as error:
        raise JaxgenError(
            f"METEOR's program failed ({error}); it needs a Java that runs and 2 GB of memory"
        ) from error


def meteor_of_totals(totals: Sequence[float] | np.ndarray) -> float:
    """METEOR from the sums of `meteor_counts` over a corpus.

    With the weights of METEOR 1.5 for English. Equal to what `meteor_score` has of its program.

    Reference:
        Denkowski and Lavie 2014, https://aclanthology.org/W14-3348, section 2 and table 1.
    """
    alpha, beta, gamma, delta = 0.85, 0.2, 0.6, 0.75
    made, wanted, made_function, wanted_function = totals[:4]
    chunks, made_matches, wanted_matches = totals[20:]
    right = found = 0.0
    for weight, start in zip((1.0, 0.6, 0.8, 0.6), range(4, 20, 4), strict=True):
        content, in_reference, function, function_in_reference = totals[start : start + 4]
        right += weight * (delta * content + (1 - delta) * function)
        found += weight * (delta * in_reference + (1 - delta) * function_in_reference)
    if not right or not found:
        return 0.0
    precision = right / (delta * (made - made_function) + (1 - delta) * made_function)
    recall = found / (delta * (wanted - wanted_function) + (1 - delta) * wanted_function)
    fragments = chunks / ((made_matches + wanted_matches) / 2)
    mean = precision * recall / (alpha * precision + (1 - alpha) * recall)
    return float(mean * (1 - gamma * fragments**beta))


def _one_line(sentence: str) -> str:
    return " ".join(sentence.replace("|||", "").split())


def spice_score(made: Sequence[str], references: References) -> float:
    """SPICE: F-measure of the facts of scene graphs that a parser makes of the captions.

    Args:
        made, references: as for `jaxgen.metrics.captions.report.measure`.

    Returns:
        A number in [0, 1].

    Raises:
        JaxgenError: pycocoevalcap, Java or the parser is missing, or the program failed.

    Reference:
        Anderson et al. 2016, https://arxiv.org/abs/1607.08822.
    """
    folder = _package("SPICE") / "spice"
    if not (folder / "lib" / _CORENLP).exists():
        raise JaxgenError(
            "SPICE needs Stanford CoreNLP, which pycocoevalcap downloads once (400 MB) when "
            "get_stanford_models() of pycocoevalcap.spice.get_stanford_models is called"
        )
    from pycocoevalcap.spice.spice import Spice

    try:
        return float(Spice().compute_score(*_oracle_form(made, references))[0])
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise JaxgenError(
            f"SPICE's program failed ({error}); it needs a Java that runs, 8 GB of memory and "
            f"leave to write to {folder}"
        ) from error


def _package(metric: str) -> Path:
    """The folder of pycocoevalcap."""
    package = importlib.util.find_spec("pycocoevalcap")
    if package is None or not package.submodule_search_locations:
        raise JaxgenError(f"{metric} needs pycocoevalcap: pip install pycocoevalcap")
    if shutil.which("java") is None:
        raise JaxgenError(f"{metric} needs Java: install a Java runtime, so that `java` is found")
    return Path(package.submodule_search_locations[0])


def _oracle_form(
    made: Sequence[str], references: References
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """References and captions as pycocoevalcap takes them."""
    return dict(enumerate(map(list, references))), {i: [m] for i, m in enumerate(made)}


meteor = CaptionMetric("meteor", "METEOR", "higher", meteor_score, order=40, needs_java=True)
spice = CaptionMetric("spice", "SPICE", "higher", spice_score, order=41, needs_java=True)
