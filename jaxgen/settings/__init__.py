"""What configurations are made of: settings with ranges, classes with stable names, and choices.

A configuration is a frozen dataclass of numbers, strings, other configurations and `Choice`s. Its
fields are declared with `setting`, which says which values make sense; `check` holds a whole
configuration against its declarations. A class is called by its `named` name in the files of runs,
so that it can move; code of a user's own is found once the user has imported it (`import_own`).
"""

from jaxgen.settings.fields import (
    check,
    field_problem,
    flag,
    flags_spelled,
    rules,
    setting,
    shortened,
)
from jaxgen.settings.names import (
    Choice,
    class_name,
    find_class,
    import_own,
    named,
    own_class,
    own_modules,
    subclasses,
)

__all__ = [
    "Choice",
    "check",
    "class_name",
    "field_problem",
    "find_class",
    "flag",
    "flags_spelled",
    "import_own",
    "named",
    "own_class",
    "own_modules",
    "rules",
    "setting",
    "shortened",
    "subclasses",
]
