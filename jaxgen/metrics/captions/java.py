"""METEOR and SPICE, whose Java programs come with pycocoevalcap: `pip install pycocoevalcap`.

Tokens are those of `jaxgen.metrics.captions.scores`.
"""

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions.scores import References

_CORENLP = "stanford-corenlp-3.6.0.jar"


def measure(made: Sequence[str], references: References) -> tuple[dict[str, float], list[str]]:
    """METEOR and SPICE where they can be had.

    Args:
      made, references: as for `captions.measure`.

    Returns:
      `meteor` and `spice`, both in [0, 1], as far as they can be measured here, and for each that
      cannot a sentence that says what it needs.
    """
    figures, missing = {}, []
    for name, metric in {"meteor": meteor, "spice": spice}.items():
        try:
            figures[name] = metric(made, references)
        except JaxgenError as error:
            missing.append(str(error))
    return figures, missing


def meteor(made: Sequence[str], references: References) -> float:
    """METEOR 1.5: alignment of words, stems, synonyms and paraphrases.

    Args:
      made, references: as for `captions.measure`.

    Returns:
      A number in [0, 1].

    Raises:
      JaxgenError: pycocoevalcap or Java is not there, or the program failed.

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
        scorer.lock.release()  # which the package takes once more when it is collected
        raise JaxgenError(
            f"METEOR's program failed ({error}); it needs a Java that runs and 2 GB of memory"
        ) from error


def spice(made: Sequence[str], references: References) -> float:
    """SPICE: F-measure of the facts of scene graphs that a parser makes of the captions.

    Args:
      made, references: as for `captions.measure`.

    Returns:
      A number in [0, 1].

    Raises:
      JaxgenError: pycocoevalcap, Java or the parser is not there, or the program failed.

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
    """Where pycocoevalcap is."""
    package = importlib.util.find_spec("pycocoevalcap")
    if package is None:
        raise JaxgenError(f"{metric} needs pycocoevalcap: pip install pycocoevalcap")
    if shutil.which("java") is None:
        raise JaxgenError(f"{metric} needs Java: install a Java runtime, so that `java` is found")
    return Path(next(iter(package.submodule_search_locations)))


def _oracle_form(
    made: Sequence[str], references: References
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """References and captions as pycocoevalcap takes them."""
    return dict(enumerate(map(list, references))), {i: [m] for i, m in enumerate(made)}
