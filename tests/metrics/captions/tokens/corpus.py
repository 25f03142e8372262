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
    "edu.stanford.nlp.process.PTBTokenizer -preserveLines -lowerCase of stanford-corenlp-3.4.1.jar in "
    "pycocoevalcap 1.2, OpenJDK 17; each caption stood between lines of one x; then punctuation was "
    "removed as pycocoevalcap's PTBTokenizer does"
)
_PUNCTUATION = "'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split()

WRITTEN = r"""
A man's dog doesn't like "well-known" (blue) cats... and/or dogs!
can't cannot gonna gotta wanna lemme gimme dunno it's they'll I've 'tis 'twas d'ye More'n
It's 5:30 p.m. on St. Mary's street, U.S.A. is big. Mr. Smith went to Washington D.C.
$5.00 $ 5 £3 €4 5% 50 % 1/2 1 1/2 3-4 1,000 1.5 .5 -5 +5 10th 2nd '90s 1990's 5'10" 6ft
http://www.foo.com/bar?x=1 www.foo.com foo.com a@b.com @user #tag https://a.org.
:) ;-) :( <3 ^_^ :D (^_^) (-_-) :-] ;{ =) :}
x*y a/b c_d e&f AT&T R&B rock'n'roll rock-n-roll O'Brien o'clock S&P 500
“quoted” ‘single’ – — … caf&eacute; &amp; &lt;b&gt; <b>bold</b> <UNK> <unk> </s>
emoji 😀 here 😀😀 👍🏽 café café ñ ü ﬁ ½ ⅛
[brackets] {braces} a;b: c, d! ? ?! !!! ... .... . . . -- --- - -----
t-shirt T-shirt mid-air 3-d ice-cream  two-story 12-inch black-and-white half-eaten
man´s man`s man’s mans' dogs' don`t don‘t don’t y’all Y'all
1st. etc. vs. dr. mr. st. Inc. Co. no. No. 5 jr. a.m. P.M. e.g. i.e. Ph.D. Ed.D.
foo.txt index.html 555-1234 (555) 123-4567 1.800.555.1234 12/25/2010 9:00am 9am
''hello'' ``hello'' 'hello' '' ' ` `` "" "a" «b» ‹c› „d‟ ‚e‛ ```
a#b # 5 #5 5# 5$ US$5 ~ ^ | \ / * + = < > @ _ % == => -> <- ¢5 ¥5 ฿ ¤
N.Y. N.Y.C. Ave. Blvd. Rd. Jan. 5 Tues. ft. in. lb. oz. lbs. plan A. It is vitamin C. In
U.S. The dog, the U.S. A dog, N.Y. <b> x, inc., a.m., etc.; word., a-b., 1., A&B.,
F/A-18 4x4 2x4 24/7 9/11 20/20 747-400 H1N1 B-52 x² H₂O 10⁻³ ① Ⓐ Ⅳ
c# C++ F# cap'n c'mon ma'am o'er li'l s'mores nor'easter 'cause 'em 'til rock 'n' roll
<a href="x y"> <!-- c --> x\*y \*\* a--b a- -b a...b &odq;a&cdq; &#39; &hellip; &nbsp;
你好 世界 नमस्ते دنیا ١٢٣ İstanbul ΣΑΣ ß ẞ ¡Hola! ¿qué? Ünïcödé naïve façade
soft­hyphen ­ a​b ﻿bom no-break 1 1/2 a　b tab	tab
"""
_NOUNS = "man woman dog cat bus pizza kite train horse child surfboard t-shirt TV stop sign".split()
_ADJECTIVES = "red little old-fashioned big, black-and-white 3-tiered half-eaten well-lit".split()
_VERBS = ["riding", "sitting on", "isn't near", "can't see", "that's holding", "'s next to"]
_ENDS = [".", "", " .", "!", "...", "?", ".  ", ' "cheese".', " (left).", ", too.", " & more"]
_PIECES = (
    "a the man dog's don't U.S. Mr. Inc. No. 5 1/2 3.5 $ % ( ) \" ' “ ” ‘ ’ -- … . , ; : ! ? / - & @ # "
    "😀 👍🏽 café 中文 a.m. www.a.com http://b.org/c x@y.com 12 2nd 's n't '90s T-shirt &amp; <b> <UNK> "
    "1,000 10:30 555-1234 (555) é ﬁ wanna cannot rock'n'roll \u00a0 \u200b \u3000 ½ € ’s o’clock St. etc."
).split(" ")


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
