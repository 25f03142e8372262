"""Captions as people write them and worse, and what the real PTB tokeniser makes of them.

python -m tests.metrics.captions.tokens.corpus    # writes golden.json again; needs Java
"""

import json
import random
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

GOLDEN = Path(__file__).with_name("golden.json")
ORIGIN = (
    "edu.stanford.nlp.process.PTBTokenizer -preserveLines -lowerCase of stanford-corenlp-3.4.1.jar "
    "in pycocoevalcap 1.2, OpenJDK 17; each caption stood between lines of one x; then punctuation "
    "was removed as pycocoevalcap's PTBTokenizer does"
)
_PUNCTUATION = "'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split()

WRITTEN = Path(__file__).with_name("written.txt").read_text(encoding="utf-8")
_NOUNS = "man woman dog cat bus pizza kite train horse child surfboard t-shirt TV stop sign".split()
_ADJECTIVES = "red little old-fashioned big, black-and-white 3-tiered half-eaten well-lit".split()
_VERBS = ["riding", "sitting on", "isn't near", "can't see", "that's holding", "'s next to"]
_ENDS = [".", "", " .", "!", "...", "?", ".  ", ' "cheese".', " (left).", ", too.", " & more"]
_PIECES = Path(__file__).with_name("pieces.txt").read_text(encoding="utf-8").split("\n")[:-1]


def captions(seed: int, n: int) -> list[str]:
    """N captions, half of them like COCO's and half of pieces that meet at random."""
    rng, made = random.Random(seed), []
    for number in range(n):
        if number % 2:
            parts = (
                rng.choice(_PIECES) + rng.choice([" ", " ", ""]) for _ in range(rng.randint(1, 9))
            )
            made.append("".join(parts))
            continue
        one, other = (
            f"{rng.choice(['A', 'the', 'Two', '2', 'some'])} {rng.choice(_ADJECTIVES)} "
            f"{rng.choice(_NOUNS)}{rng.choice(['', '', 's', chr(39) + 's', chr(0x2019) + 's'])}"
            for _ in range(2)
        )
        made.append(f"{one} {rng.choice(_VERBS)} {other}{rng.choice(_ENDS)}")
    return made


def jar() -> Path | None:
    """The real tokeniser, where it and Java are."""
    package = find_spec("pycocoevalcap")
    if package is None or not package.submodule_search_locations or shutil.which("java") is None:
        return None
    found = Path(package.submodule_search_locations[0]) / "tokenizer" / "stanford-corenlp-3.4.1.jar"
    return found if found.exists() else None


def of_java(texts: list[str]) -> list[str]:
    """Captions as the real tokeniser and pycocoevalcap's removal of punctuation leave them."""
    lines = [line for text in texts for line in (text, "x")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions"
        path.write_text("\n".join(lines), encoding="utf-8")
        command = ["java", "-cp", str(jar()), "edu.stanford.nlp.process.PTBTokenizer"]
        command += ["-preserveLines", "-lowerCase", str(path)]
        done = subprocess.run(command, check=True, capture_output=True)
    found = done.stdout.decode().split("\n")
    assert found[1 : 2 * len(texts) : 2] == ["x"] * len(texts)  # no caption went on in another line
    return [
        " ".join(word for word in line.rstrip().split(" ") if word not in _PUNCTUATION)
        for line in found[: 2 * len(texts) : 2]
    ]


def main() -> None:
    """Writes the golden captions again."""
    texts = [line for line in WRITTEN.split("\n") if line]
    texts += [word for line in texts for word in line.split()] + captions(0, 600)
    texts = list(dict.fromkeys(texts))
    pairs = [list(pair) for pair in zip(texts, of_java(texts), strict=True)]
    content = json.dumps({"origin": ORIGIN, "captions": pairs}, ensure_ascii=False, indent=0)
    GOLDEN.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
