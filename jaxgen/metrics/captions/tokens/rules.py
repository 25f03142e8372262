r"""What the PTB tokeniser of Stanford CoreNLP 3.4.1 takes for a token, as rules of `lexer`.

Each rule is a pattern, how much of what it matches is the token (the rest is read again), and how
the token is written. They were found from what the program does: its answers, and the states and
kinds of characters of its compiled automaton, against which the automaton of these rules was
compared; no text without line ends is divided differently (`docs/captions_score.md`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from jaxgen.metrics.captions.tokens import characters


@dataclass(frozen=True)
class Rule:
    """One kind of token."""

    pattern: str
    ends: Callable[[str], int] = len
    """How much of what was matched is the token."""
    written: Callable[[str], str] = lambda token: token
    """The token as it is told."""


def _but(count: int) -> Callable[[str], int]:
    """All but what follows the token."""
    return lambda matched: len(matched) - count


def _to_period(matched: str) -> int:
    return matched.index(".") + 1


def _to_period_without(matched: str) -> int:
    return matched.index(".")


def _to_space(matched: str) -> int:
    space = _SPACE.search(matched)
    return space.start() if space else len(matched)


def _to_apostrophe(matched: str) -> int:
    return [found.start() for found in _APOSTROPHE.finditer(matched)][-1]


def _to_negation(matched: str) -> int:
    return _to_apostrophe(matched) - 1  # the n of n't


def _half(*firsts: str) -> Callable[[str], int]:
    """The end of the first of two words that are written as one."""
    return lambda matched: next(len(some) for some in firsts if matched.lower().startswith(some))


def _without_soft_hyphens(token: str) -> str:
    return token.replace("\u00ad", "") or "-"


def _quotes(token: str) -> str:
    """Quotation marks as LaTeX writes them; those that do not say their side are closing ones."""
    for marks, latex in _LATEX_QUOTES:
        token = marks.sub(latex, token)
    return token


def _opening_quotes(token: str) -> str:
    return "``" if token in ('"', "&quot;") else token


def _one_line(token: str) -> str:
    return token.replace(" ", "\u00a0")


def _brackets(token: str) -> str:
    return token.replace("(", "-LRB-").replace(")", "-RRB-")


def _constant(text: str) -> Callable[[str], str]:
    return lambda token: text


def _table(ranges: str) -> str:
    """The inside of a set of characters."""
    ends = (part.partition("-") for part in ranges.split())
    return "".join(chr(int(a, 16)) + (f"-{chr(int(b, 16))}" if dash else "") for a, dash, b in ends)


_SPACE = re.compile("[ \t\u00a0\u2000-\u200a\u3000\n\r\x0b\x0c\u2028\u2029\x85]")
_APOSTROPHE = re.compile("['\x91\x92\u2018\u2019\u201b`]|&apos;", re.IGNORECASE)
_LATEX_QUOTES = tuple(
    (re.compile(marks), latex)
    for marks, latex in (
        ("&apos;", "'"),
        ('"|&quot;', "''"),
        ("[\x91\u2018\u201b\u2039]", "`"),
        ("[\x92\u2019\u203a]", "'"),
        ("[\x93\u201c\xab]", "``"),
        ("[\x94\u201d\xbb]", "''"),
    )
)
_FRACTIONS = {"\xbc": "1/4", "\xbd": "1/2", "\xbe": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
_CURRENCIES = {"\xa2": "cents", "\xa3": "#", "\x80": "$", "\xa4": "$", "\u20a0": "$", "\u20ac": "$"}

_LETTERS, _DIGITS = _table(characters.LETTERS), _table(characters.DIGITS)
_NO_SPACE = r"[^ \t\n\r" + "\u00a0]"
_IN_ADDRESS = r' \t\n\r"<>|()' + "\x0c"
_AT_END = _IN_ADDRESS + r".!?\{},-"
_FACE = "[-^x=~<>']"
_STOP = "[,;:\u3001]"

NAMED = {
    "digit": f"[0-9{_DIGITS}]",
    "base": f"[a-zA-Z{_LETTERS}]",
    "base_or_digit": f"[0-9a-zA-Z{_LETTERS}{_DIGITS}]",
    "letter": f"([a-zA-Z\u00ad{_LETTERS}{_table(characters.MARKS)}]"
    "|&[aeiouAEIOU](?i:acute|grave|uml);)",
    "alnum": "({letter}|{digit})",
    "apostrophe": "(['\x92\u2019]|(?i:&apos;))",
    "any_apostrophe": "(['\x92\u2019\x91\u2018\u201b`]|(?i:&apos;))",
    "hyphen": "[-_\u058a\u2010\u2011]",
    "blank": r"[ \t" + "\u00a0\u2000-\u200a\u3000]",
    "newline": r"([\n\r" + "\x0b\x0c\u2028\u2029\x85]|" + r"\r\n)",
    "space": "({blank}|{newline})",
    "word": "{letter}{alnum}*([.!?]{letter}{alnum}*)*",
    "number": "[-+]?({digit}+|{digit}*([.:,\u00ad\u066b\u066c]{digit}+)+)",
    "ampersand": "(&|(?i:&amp;))",
    # Before names, and within dates and addresses: a period after these never ends a sentence.
    "title": "((?i:adj|adm|adv|alex|assoc|asst|attys?|ave|brig|capt|cf|cie|cmdr|col|comdr|cpl|dept"
    "|det|drs?|elec|ens|ft|gen|govs?|hon|insp|invt|jos|lieut|lt|maj|messrs|mlle|mme|mr|mrs|ms|msgr"
    "|mt|natl|pfc|ph|pres|profs?|pvt|reps?|rev|sens?|sfc|sgt|spc|ste?|supts?|treas|vs|wm"
    r"|a\.k\.a)|(?i:m)[ft](?i:g))",
    # A period after these may also end the sentence.
    "closing": "((?i:al|ala|apr|ariz|assn|aug|bancorp|bhd|bldg|blvd|bros|calif|colo|conn|corp|cos?"
    "|ct|dak|dec|esq|est|etc|ext|feb|fla|fri|ga|inc|ind|intl|jan|jr|jul|jun|kans?|ky|ltd|mar|md"
    "|mich|minn|mo|mon|mont|neb|nev|nov|oct|okla|penn|plc|rd|rt|sept?|seq|sq|sr|sys|tel|tenn|thu"
    r"|thurs|tues?|univ|va|vt|wed|wisc?|wyo|ed\.d|ph\.d)|A(?i:rk|z)|D(?i:el)|I(?i:ll)|L(?i:a)"
    "|M(?i:ass|iss)|O(?i:re)|P(?i:a)|T(?i:ex)|W(?i:ash)|(?i:pp?t)[ye](?i:s?))",
    "before_number": "(?i:art|bldg|ca|figs?|nos?|op|pp|prop)",
    "state": r"((?i:canada|sino|korean|eu|japan|non)-(?i:u\.s)|(?i:u\.s\.-u\.(k|s\.s\.r)))",
    "acronym": r"([A-Za-z](\.[A-Za-z])*|{state})",
    "long_acronym": r"([A-Za-z](\.[A-Za-z])+|{state})",
    # With these, after an acronym and its period, a new sentence begins.
    "opening": "(A(?i:bout|ccording|dditionally|fter|n|s|t|)|B(?i:ut)|E(?i:arlier)"
    r"|H(?i:e|er|ere|owever)|I(?i:f|n|t)|L(?i:ast)|M(?i:any|ore|r\.|s\.)|N(?i:ow)"
    "|O(?i:nce|ne|ther|ur)|S(?i:he|ince|o|ome|uch)"
    "|T(?i:hat|he|heir|hen|here|hese|hey|his)|W(?i:e|hat|hen|hile)|Y(?i:et|ou))",
    "extension": "(?i:bat|bmp|c|class|cgi|cpp|dll|doc|docx|exe|gif|gz|h|htm|html|jar|java|jpeg|jpg"
    "|mov|mp3|pdf|php|pl|png|ppt|ps|py|sql|tar|txt|wav|x|xml|zip)",
    "compound": "[A-Za-z0-9][A-Za-z0-9.,\u00ad]*(-([A-Za-z0-9\u00ad]+|" + r"{long_acronym}\.))+",
    "elided": "([dDoOlL]{any_apostrophe}{base_or_digit})?{base_or_digit}+",
    "thing": "{elided}({hyphen}{elided})*",
    "joined": "[A-Z]+(([+&]|{ampersand})[A-Z]+)+",
    "path": f"/[^{_IN_ADDRESS}]+[^{_AT_END}]",
    "host": "((?i:www)" + rf"\.([^{_IN_ADDRESS}.!?\{{}},]+\.)+[a-zA-Z]{{2,4}}"
    rf"|([^{_IN_ADDRESS}`'.!?\{{}},-_$]+\.)+(?i:com|net|org|edu))",
    "mail_name": rf"[a-zA-Z0-9][^{_IN_ADDRESS}\{{}}" + "\u00a0]*",
    "mail_part": rf"[^{_IN_ADDRESS}.\{{}}" + "\u00a0]+",
    "clitic": "{apostrophe}([msdMSD]|(?i:re|ve|ll))",
    "negation": "(?i:n){any_apostrophe}(?i:t)",
    "with_apostrophe": "({apostrophe}(?i:n){apostrophe}?|[lLdDjJ]{apostrophe}"
    "|(?i:dunkin|somethin|ol){apostrophe}|{apostrophe}(?i:em|till?|cause)"
    "|[A-HJ-XZn]{any_apostrophe}{base}{2}{base}*|{apostrophe}[2-9]0(?i:s)"
    "|{base}{base}*[aeiouyAEIOUY]{any_apostrophe}[aeiouA-Z]{base}*"
    r"|(?i:cont'd\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l|o{any_apostrophe}o))",
    "gap": "[- \u00a0]",
    "phone": "((" + r"\([0-9]{2,3}\)" + "[ \u00a0]?|" + r"(\+\+?)?"
    "([0-9]{2,4}{gap})?[0-9]{2,4}{gap})[0-9]{3,4}{gap}?[0-9]{3,5}"
    r"|((\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5})",
    "smiley": r"[<>]?[:;=][-o*']?[()DPdpO\\\{@|[\]]",
    "attribute": "[A-Za-z][A-Za-z0-9:._-]*( *= *('[^']*'|" + '"[^"]*"))?',
    "tag": r"<([!?][A-Za-z-][^>\r\n]*|/[A-Za-z][A-Za-z0-9:._-]* *"
    "|[A-Za-z][A-Za-z0-9:._-]*( +{attribute})* */? *)>",
}

RULES = (
    Rule("(?i:cannot|'twas)", _half("can", "'t")),
    Rule("(?i:gonna|gotta|lemme|gimme|wanna|'tis)", _half("gon", "got", "lem", "gim", "wan", "'t")),
    Rule("[A-Za-z\u00ad]*[A-MO-Za-mo-z]\u00ad*{negation}", _to_negation, _without_soft_hyphens),
    Rule("{word}{clitic}", _to_apostrophe, _without_soft_hyphens),
    Rule("{word}", written=_without_soft_hyphens),
    Rule(r"{with_apostrophe}|[cCfF]#|[cC]\+\+|(?i:&(ht|lr|tl|ql|qr|qc|ur|odq|cdq);)|&#[0-9]+;"),
    Rule("(?i:y){apostrophe}{base}", _but(1)),
    Rule("(?i:https?):/" + rf"/[^{_IN_ADDRESS}\{{}}]+[^{_AT_END}]" + "|{host}{path}?"),
    Rule(r"({title}|{acronym})\."),
    Rule("({acronym}|{title}|M(?i:iss)){blank}|{acronym}{newline}", _but(1)),
    Rule(r"{long_acronym}\.{space}+({opening}|{tag}){space}", _to_space),
    Rule(r"[A-Za-z]\.{space}+({opening}|{tag}){space}", _to_period_without),
    Rule(r"{before_number}\.{space}?{digit}", _to_period),
    Rule(r"(?i:co|pte|pty)\.{blank}(?i:ltd|lim)", _to_period),
    Rule("(<|(?i:&lt;))?{mail_name}@({mail_part}" + r"\.)*{mail_part}(>|(?i:&gt;))?"),
    Rule(r"{closing}\.[^a][^a]|{closing}\.(a[^a]|[^a]a|aa)", _but(2)),
    Rule(r"{closing}\."),
    Rule("@[A-Za-z_][A-Za-z_0-9]*|#{letter}+"),
    Rule("({clitic}|{negation})[^A-Za-z]", _but(1), _quotes),
    Rule("{digit}{1,2}[-/]{digit}{1,2}[-/]{digit}{2,4}"),
    Rule("{number}", written=_without_soft_hyphens),
    Rule("[\u207a\u207b\u208a\u208b]?([\xb2\xb3\xb9\u2070\u2074-\u2079]+|[\u2080-\u2089]+)"),
    Rule(
        "({digit}{1,4}[- \u00a0])?{digit}{1,4}(" + r"\\?/|" + "\u2044){digit}{1,4}",
        written=_one_line,
    ),
    Rule("[\xbc-\xbe\u2153-\u215e]", written=lambda token: _FRACTIONS.get(token, token)),
    Rule("'[A-Za-z]" + _NO_SPACE, _but(2), _constant("`")),
    Rule("{clitic}|{negation}", written=_quotes),
    Rule("{apostrophe}[0-9][0-9]{space}", _but(1)),
    Rule("{phone}", written=lambda token: _brackets(_one_line(token))),
    Rule("{compound}", written=_without_soft_hyphens),
    Rule(
        rf"{_FACE}_{_FACE}|\({_FACE}[_.]?{_FACE}\)|\([\^x=~<>']-[\^x=~<>'`]\)"
        r"|[\^x=~<>]\.\[\^(?i:x)=[^<]*<>\]",
        written=_brackets,
    ),
    Rule("{thing}"),
    Rule(
        "{joined}|(?i:s{ampersand}ls|pro-|anti-|&amp;|cap{apostrophe}n|c{apostrophe}est|s{ampersand}p-500)"
        "|-(?i:lcb|rcb|lrb|rrb|lsb|rsb)-",
        written=lambda token: _AMPERSAND.sub("&", token),
    ),
    Rule(r"[A-Za-z0-9]+(-[A-Za-z]+){0,2}(\\?/[A-Za-z0-9]+(-[A-Za-z]+){0,2}){1,2}"),
    Rule("{smiley}[^A-Za-z0-9]", _but(1), _brackets),
    Rule(
        r"[?!]+|[=~^&+,.:;%\\|$"
        + "\u2044\u207a\u207b\u208a\u208b\u3001\u24b6-\u24cf"
        + f"{_table(characters.SIGNS)}"
        + r"]|#+|@+|_+|<<|>>|[A-Z]*\$"
    ),
    Rule("<|(?i:&lt;)", written=_constant("<")),
    Rule(">|(?i:&gt;)", written=_constant(">")),
    *(
        Rule(f"\\{mark}", written=_constant(name))
        for mark, name in (
            ("(", "-LRB-"),
            (")", "-RRB-"),
            ("{", "-LCB-"),
            ("}", "-RCB-"),
            ("[", "-LSB-"),
            ("]", "-RSB-"),
        )
    ),
    Rule("/"),
    Rule(r"\*+|(\\\*){1,3}"),
    Rule("-+", written=lambda token: "--" if len(token) in (3, 4) else token),
    Rule("[\x96\x97\u2013-\u2015]|(?i:&(md|mdash|ndash);)", written=_constant("--")),
    Rule(
        r"\.{3,5}|" + "[\u2026\x85]|" + r"(\.[ " + "\u00a0" + r"]){2,4}\.", written=_constant("...")
    ),
    Rule(
        "[\x80\xa2-\xa5\u060b\u0e3f\u20a0\u20a4\u20ac\uffe0\uffe1\uffe5\uffe6]",
        written=lambda token: _CURRENCIES.get(token, token),
    ),
    Rule(
        "[\"'`]|[`\x91-\x94\u2018-\u201f\xab\xbb\u2039\u203a]{1,2}|''|(?i:&quot;|&apos;)",
        written=_quotes,
    ),
    Rule('("|(?i:&quot;))[A-Za-z0-9$]', _but(1), _opening_quotes),
    Rule(r"{alnum}+(\.{alnum}+)*\.{extension}({space}|[.?!,])", _but(1)),
    Rule(rf"({{word}}|{{compound}}|{{joined}}|{{thing}})\.{_STOP}", _but(1), _without_soft_hyphens),
    Rule("{tag}", written=_one_line),
    Rule("{blank}+|(?i:&nbsp;)|{newline}|[\0\u200b\u200e\u200f\ufeff\x7f]", written=_constant("")),
)
"""Where two match as much, the first counts."""

_AMPERSAND = re.compile("&amp;", re.IGNORECASE)
