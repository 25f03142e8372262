"""The words of scene captions and what they mean: shared by the writer and the checker of them."""

from jaxgen.data.scenes.rendering import COLOURS, SIZES, Digit

COLOUR_INDEX = {name: index for index, name in enumerate(COLOURS)}

SIZE_WORDS = {"small": ("small", "little"), "large": ("large", "big")}
SIZE_INDEX = {word: i for i, name in enumerate(SIZES) for word in SIZE_WORDS[name]}

ROW_INDEX = {"top": 0, "upper": 0, "bottom": 2, "lower": 2}
COLUMN_INDEX = {"left": 0, "right": 2}
MIDDLE, MIDDLE_WORDS = 1, ("middle", "center")

COUNT_WORDS = {"two": 2, "three": 3}
GROUP_NOUNS = ("digits", "numbers")
NOUNS = ("digit", "number")
ALONE_WORDS = ("single", "lone")  # no other digit in the scene

RELATION_PHRASES = {
    "above": ("above", "over", "higher than"),
    "below": ("below", "under", "beneath"),
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
    "bigger": ("bigger than", "larger than"),
    "smaller": ("smaller than",),
}
SPATIAL = ("above", "below", "left", "right")


def relation_holds(relation: str, subject: Digit, other: Digit) -> bool:
    """Whether `subject` stands in a relation to `other`; places are compared by row and column."""
    return {
        "above": subject.row < other.row,
        "below": subject.row > other.row,
        "left": subject.column < other.column,
        "right": subject.column > other.column,
        "bigger": subject.size > other.size,
        "smaller": subject.size < other.size,
    }[relation]


def relations_between(subject: Digit, other: Digit) -> list[str]:
    """Every relation in which `subject` stands to `other`."""
    return [name for name in RELATION_PHRASES if relation_holds(name, subject, other)]
