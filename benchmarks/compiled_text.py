"""What a compiled program says of itself: collectives with their bytes, and arithmetic of products.

Both are read from the text of XLA's optimised program, `lowered.compile().as_text()`, which is that
of one device among those that share the work. Loops count as often as XLA knows that they run, or
as their condition tells; one whose length is an argument, such as that over training steps, counts
once, and so does each branch of a conditional.
"""

import copy
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

BITS = {
    **{"pred": 8, "s4": 4, "u4": 4, "s8": 8, "u8": 8, "s16": 16, "u16": 16, "s32": 32, "u32": 32},
    **{"s64": 64, "u64": 64, "f16": 16, "bf16": 16, "f32": 32, "f64": 64, "c64": 64, "c128": 128},
}
_COLLECTIVES = (
    *("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "ragged-all-to-all"),
    *("collective-permute", "collective-broadcast"),
)
# cuDNN's convolutions: where image, kernel and result of the forward pass are; -1 is the result.
_CUDNN = {
    "__cudnn$convForward": (0, 1, -1),
    "__cudnn$convBiasActivationForward": (0, 1, -1),
    "__cudnn$convBackwardInput": (-1, 1, 0),
    "__cudnn$convBackwardFilter": (0, -1, 1),
}
# What runs other computations rather than doing work that they describe.
_CONTROL = ("while", "conditional", "call", "async-start")
_ARRAY = re.compile(r"\b([a-z]+[0-9]*(?:e\d+m\d+\w*)?)\[([\d,<=]*)\]")
_NAMED = re.compile(r"^\s*(?:ROOT )?%?([\w.$-]+) = ")
_OPCODE = re.compile(r"\s*([a-z][a-z0-9-]*)\(")
_CALLED = re.compile(
    r"\b(calls|to_apply|body|condition|true_computation|false_computation|"
    r"branch_computations|called_computations)=(\{[^}]*\}|%?[\w.$-]+)"
)
# A TPU's collective that is taken in pieces: they share the channel.
_PIECE = re.compile(r"\bchannel_id=\d+(?=.*\bchain_id=)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Collective:
    """One collective of a program."""

    kind: str
    """"all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", ..."""
    bytes: int
    """Of what a device gives or of what it gets, whichever is more."""
    times: int
    """How often it runs, in a step for instance."""
    parts: tuple[int, ...]
    """Bytes of each array in it, since XLA joins small ones in one collective."""
    source: str
    """The name that JAX gave to the operation: where it comes from."""


@dataclass(frozen=True)
class Operation:
    """One line of a computation."""

    name: str
    opcode: str
    result: str
    """Its type, in text."""
    operands: str
    attributes: str

    @cached_property
    def called(self) -> list[str]:
        """Names of the computations that it runs."""
        if self.opcode.endswith(("-done", "-update")):  # its start runs them
            return []
        found = _CALLED.findall(self.attributes)
        return [name for _, names in found for name in re.findall(r"[\w.$-]+", names)]

    @property
    def names(self) -> list[str]:
        """Names of its operands."""
        return re.findall(r"%([\w.$-]+)", self.operands)


def collectives(text: "str | Program") -> list[Collective]:
    """Every collective of a compiled program.

    Args:
        text: of the optimised program, as `compiled.as_text()` gives it; or that, read before.

    Returns:
        One for each operation of the program that runs at all; a pair of start and end is one, and
        so are the pieces that a TPU takes a collective in, between the pieces of other work.
    """
    program = Program(text) if isinstance(text, str) else text
    found, pieces = [], set[str]()
    for operation, times in program.operations():
        if operation.opcode.removesuffix("-start") not in _COLLECTIVES:
            continue
        if piece := _PIECE.search(operation.attributes):
            if piece.group() in pieces:
                continue
            pieces.add(piece.group())
            times = 1  # pieces may be spread over the turns of a loop
        found.append(_collective(program, operation, times))
    return found


def product_flops(text: "str | Program") -> float:
    """Floating-point operations of a program's matrix products and convolutions.

    A multiplication and an addition are two; a convolution's padding and the holes of a dilated
    image or kernel cost nothing, as XLA's own count has it.

    Args:
        text: of the optimised program, as `compiled.as_text()` gives it; or that, read before.
    """
    program = Program(text) if isinstance(text, str) else text
    return float(sum(times * _flops(program, one) for one, times in program.operations()))


class Program:
    """The computations of a program, and how often each runs."""

    def __init__(self, text: str) -> None:
        """Reads a program, `compiled.as_text()`."""
        self.computations: dict[str, list[Operation]] = {}
        """Operations of each, the last of them its result."""
        self._results: dict[str, str] = {}
        self._constants: dict[str, int] = {}
        self._entry = ""
        operations: list[Operation] = []
        for line in text.splitlines():
            if line.endswith("{") and (head := re.match(r"(ENTRY )?%?([\w.$-]+) ", line)):
                operations = self.computations.setdefault(head.group(2), [])
                self._entry = head.group(2) if head.group(1) else self._entry
            elif operation := _operation(line):
                operations.append(operation)
                self._results[operation.name] = operation.result
                if operation.opcode == "constant" and operation.operands.isdigit():
                    self._constants[operation.name] = int(operation.operands)

    def of_a_step(self) -> "Program":
        """One turn of its outermost loop, the only one whose length is an argument.

        That is a step of `jaxgen.training.loop.Loop`; a program without such a loop is returned
        whole.
        """
        for operation in self.computations.get(self._entry, ()):
            if operation.opcode == "while" and self._trips(operation) is None:
                step = copy.copy(self)
                step._entry = _attribute(operation, "body")
                return step
        return self

    def operations(self, *, within: bool = True) -> Iterator[tuple[Operation, int]]:
        """Each operation from the entry on, as often as it is called, with how often it runs.

        Args:
            within: those inside of fusions and other operations too, rather than only what runs
                one after the other.
        """
        stack = [(self._entry, 1)]
        while stack:
            name, times = stack.pop()
            for operation in self.computations.get(name, ()):
                yield operation, times
                if within or operation.opcode in _CONTROL:
                    trips = self._trips(operation) or 1
                    stack += [(called, times * trips) for called in operation.called]

    def operand_types(self, operation: Operation) -> list[str]:
        """The type of each operand, in text."""
        return [self._results.get(name, "") for name in operation.names]

    def _trips(self, operation: Operation) -> int | None:
        """How often a loop runs, None if nothing tells it; 1 for anything but a loop."""
        if operation.opcode != "while":
            return 1
        if found := _TRIPS.search(operation.attributes):
            return int(found.group(1))
        # Programs for TPU do not say. JAX counts from 0 to a constant.
        condition = self.computations.get(_attribute(operation, "condition"), [])
        if condition and "direction=LT" in condition[-1].attributes:
            return self._constants.get(condition[-1].names[-1])
        return None


def _attribute(operation: Operation, name: str) -> str:
    """The computation that an attribute names."""
    found = re.search(rf"\b{name}=%?([\w.$-]+)", operation.attributes)
    return found.group(1) if found else ""


def _operation(line: str) -> Operation | None:
    named = _NAMED.match(line)
    if not named:
        return None
    rest = line[named.end() :]
    # A type may hold brackets of its own: tuples, and tilings as in f32[8,128]{1,0:T(8,128)}.
    end = _closing(rest, 0) if rest.startswith("(") else rest.find(" ")
    opcode = _OPCODE.match(rest, end)
    if not opcode:
        return None
    close = _closing(rest, opcode.end() - 1)
    return Operation(
        named.group(1),
        opcode.group(1),
        rest[:end],
        rest[opcode.end() : close - 1],
        rest[close:],
    )


def _closing(text: str, start: int) -> int:
    """The place after the bracket that closes the one at `start`."""
    depth = 0
    for found in re.compile(r"[()]").finditer(text, start):
        depth += 1 if found.group() == "(" else -1
        if not depth:
            return found.end()
    return len(text)


def _shapes(result: str) -> list[tuple[int, Shape]]:
    """Bits of an element, and shape, of each array in a type."""
    return [
        (8 if kind.startswith("f8") else BITS.get(kind, 0), _dimensions(sizes))
        for kind, sizes in _ARRAY.findall(result)
    ]


def _dimensions(sizes: str) -> Shape:
    return tuple(int(size.removeprefix("<=")) for size in sizes.split(",") if size)


def _bytes(shapes: list[tuple[int, Shape]]) -> list[int]:
    return [-(-bits * math.prod(shape) // 8) for bits, shape in shapes]


def _collective(program: Program, operation: Operation, times: int) -> Collective:
    given = _bytes([one for kind in program.operand_types(operation) for one in _shapes(kind)])
    got = _bytes(_shapes(operation.result))
    kind = operation.opcode.removesuffix("-start")
    if kind != operation.opcode and kind != "all-reduce":
        # The start of an asynchronous one returns what it was given, what it gets, and its context.
        got = got[len(given) : 2 * len(given)]
    named = re.search(r'op_name="([^"]*)"', operation.attributes)
    parts = max(given, got, key=sum)
    return Collective(kind, sum(parts), times, tuple(parts), named.group(1) if named else "")


def _flops(program: Program, operation: Operation) -> int:
    if operation.opcode not in ("dot", "convolution", "custom-call"):
        return 0
    shapes = [
        shape for kind in program.operand_types(operation) for _, shape in _shapes(kind)[:1]
    ] + [_shapes(operation.result)[0][1] if _shapes(operation.result) else ()]
    attributes = operation.attributes
    if operation.opcode == "convolution":
        return _convolution_flops(shapes[0], shapes[1], shapes[-1], attributes)
    if operation.opcode == "dot":
        found = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", attributes)
    else:
        target = re.search(r'custom_call_target="([^"]*)"', attributes)
        name = target.group(1) if target else ""
        if places := _CUDNN.get(name):
            image, kernel, result = (shapes[place] for place in places)
            return _convolution_flops(image, kernel, result, attributes)
        if "gemm" not in name and "matmul" not in name:
            return 0
        found = re.search(r'"lhs_contracting_dimensions":\[([\d",]*)\]', attributes)
    contracted = _dimensions(found.group(1).replace('"', "")) if found else ()
    return 2 * math.prod(shapes[-1]) * math.prod(shapes[0][axis] for axis in contracted)


def _convolution_flops(image: Shape, kernel: Shape, result: Shape, attributes: str) -> int:
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", attributes)
    if not labels:
        return 0
    of_image, of_kernel, of_result = labels.groups()
    flops = 2 * result[of_result.index("b")] * result[of_result.index("f")]
    flops *= kernel[of_kernel.index("i")]
    for axis in range(len(image) - 2):
        ends = (
            shape[names.index(str(axis))]
            for shape, names in ((image, of_image), (kernel, of_kernel), (result, of_result))
        )
        flops *= _meetings(tuple(ends), _window(attributes, axis))
    return flops


def _window(attributes: str, axis: int) -> tuple[int, ...]:
    """Stride, padding before, and dilation of image and kernel along a spatial axis."""
    found = re.search(r"window=\{([^}]*)\}", attributes)
    told = dict(part.split("=") for part in found.group(1).split()) if found else {}
    defaults = {"stride": "1", "pad": "0_0", "lhs_dilate": "1", "rhs_dilate": "1"}
    values = (told.get(name, f"{usual}x" * 9) for name, usual in defaults.items())
    return tuple(int(value.split("x")[axis].split("_")[0]) for value in values)


def _meetings(sizes: Shape, window: tuple[int, ...]) -> int:
    """How many pairs of a result and a kernel element read an element of the image."""
    (image, kernel, result), (stride, before, holes, spread) = sizes, window
    places = (r * stride + k * spread - before for r in range(result) for k in range(kernel))
    return sum(place >= 0 and place % holes == 0 and place // holes < image for place in places)
