"""Reads what a pickle of PyTorch's says of tensors, without unpickling it.

A pickle is a program for a stack machine, some of whose instructions import and call anything. The
machine here knows those that `torch.save` writes for a dictionary of tensors, and no other. What
it meets as a name to import it only compares with the few names of tensors and ordered
dictionaries; it imports and calls nothing.
"""

import io
import pickletools
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from jaxgen.data.photographs.stored_arrays import MOST_HEADER, Unsound
from jaxgen.settings import shortened

STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_MOST_AXES = 8


class Name(NamedTuple):
    """Something that a pickle names, to call it."""

    module: str
    name: str


_ORDERED = Name("collections", "OrderedDict")
_TENSOR = Name("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = Name("torch._utils", "_rebuild_parameter")
_KNOWN = {_ORDERED, _TENSOR, _PARAMETER, *(Name("torch", name) for name in STORAGES)}


class Storage(NamedTuple):
    """Numbers in the file that tensors are parts of."""

    kind: str
    key: str
    size: int
    """In numbers."""


@dataclass(frozen=True)
class Tensor:
    """A tensor as a pickle describes it."""

    storage: Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def run(file: BinaryIO) -> Any:
    """What the next pickle of a file describes.

    Args:
        file: at the pickle's first byte; afterwards behind its last.

    Returns:
        Numbers, texts, None, tuples, lists, dicts (ordered ones too), `Tensor`s.

    Raises:
        Unsound: it holds what is none of these, or more than `MOST_HEADER` bytes.
        Exception: of nearly any kind, where it is damaged.
    """
    start = file.tell()
    head = io.BytesIO(file.read(MOST_HEADER))
    machine = _Machine()
    for operation, argument, place in pickletools.genops(head):
        if operation.name == "STOP":
            file.seek(start + (place or 0) + 1)
            break
        machine.obey(operation.name, argument)
    return machine.pop()


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self._stack.pop()

    def obey(self, operation: str, argument: Any) -> None:
        stack = self._stack
        if operation in _CONSTANTS:
            stack.append(_CONSTANTS[operation])
        elif operation in _GIVEN:
            stack.append(argument)
        elif operation in ("PROTO", "FRAME"):
            pass
        elif operation in ("EMPTY_DICT", "EMPTY_LIST"):
            stack.append({} if operation == "EMPTY_DICT" else [])
        elif operation == "MARK":
            self._marks.append(len(stack))
        elif operation == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif operation in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(operation[-1])
            items = tuple(self.pop() for _ in range(count))
            stack.append(items[::-1])
        elif operation in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif operation == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif operation in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif operation in ("SETITEM", "SETITEMS"):
            self._set(self._since_mark() if operation == "SETITEMS" else self._last(2))
        elif operation in ("APPEND", "APPENDS"):
            items = self._since_mark() if operation == "APPENDS" else self._last(1)
            _expected(stack[-1], list).extend(items)
        elif operation == "GLOBAL":
            stack.append(_known(*argument.split(" ", 1)))
        elif operation == "STACK_GLOBAL":
            stack.append(_known(*self._last(2)))
        elif operation == "BINPERSID":
            stack.append(_storage(self.pop()))
        elif operation == "REDUCE":
            called, arguments = self._last(2)
            stack.append(_result(called, arguments))
        elif operation == "BUILD":  # the notes of an ordered dictionary, which nobody reads
            self.pop()
            _expected(stack[-1], dict)
        else:
            raise Unsound(
                f"has the pickle instruction {operation}, which no file of weights needs; nothing "
                "was executed"
            )

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    def _last(self, count: int) -> list[Any]:
        items = self._stack[-count:]
        if len(items) < count:
            raise IndexError("its stack is empty")
        del self._stack[-count:]
        return items

    def _set(self, items: list[Any]) -> None:
        into = _expected(self._stack[-1], dict)
        into.update(zip(items[::2], items[1::2], strict=True))


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_GIVEN = (
    "BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
)  # fmt: skip


def _expected(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise Unsound(f"changes {type(value).__name__} as if it were {kind.__name__}")
    return value


def _known(module: Any, name: Any) -> Name:
    found = Name(module, name)
    if found not in _KNOWN:
        shown = shortened(ascii(f"{module}.{name}"), 100)
        raise Unsound(
            f"names {shown} to be called, which is neither a tensor nor an ordered dictionary; "
            "nothing was executed"
        )
    return found


def _storage(told: Any) -> Storage:
    word, called, key, _, size = _expected(told, tuple)[:5]
    if word != "storage" or called.module != "torch" or called.name not in STORAGES:
        raise Unsound("has a storage of an unknown kind")
    if not isinstance(key, str) or not _is_count(size):
        raise Unsound("has a storage without a key and a size")
    return Storage(STORAGES[called.name], key, size)


def _result(called: Any, arguments: Any) -> Any:
    arguments = _expected(arguments, tuple)
    if called == _ORDERED:
        return dict(*arguments[:1])
    if called == _PARAMETER:
        return _expected(arguments[0], Tensor)
    if called != _TENSOR:
        raise Unsound(f"calls {shortened(ascii(called), 100)}; nothing was executed")
    storage, start, shape, strides = arguments[:4]
    _expected(storage, Storage)
    shape, strides = _expected(shape, tuple), _expected(strides, tuple)
    numbers = (start, *shape, *strides)
    if len(shape) != len(strides) or len(shape) > _MOST_AXES or not all(map(_is_count, numbers)):
        raise Unsound(f"has a tensor of shape {shortened(ascii(shape), 100)}")
    return Tensor(storage, start, shape, strides)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40
