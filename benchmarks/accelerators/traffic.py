"""Bytes that a compiled program reads and writes in a chip's main memory (HBM).

XLA's own figure, "bytes accessed", is another one for TPU: it counts a loop over time as one turn,
and arrays that lie in memory on the chip (those whose layout says S(1), S(2), ...) as well.

What runs one after the other, mostly fusions, reads its operands and writes its results. As in
XLA's cost analysis, an operand of which only slices are read counts as these slices, and an update
in place as the update. The padding of tiles is not counted. What a GPU finds in its cache counts as
main memory, since the text does not tell.
"""

import math
import re

from benchmarks.compiled_text import BITS, Operation, Program

_FREE = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "while"),
    *("conditional", "call", "partition-id", "replica-id", "opt-barrier", "iota", "async-start"),
}
_SLICES = {"slice", "dynamic-slice", "gather"}
_SAME = {"bitcast", "reshape"}
# The layout follows in braces: f32[64,256]{1,0:T(8,128)S(1)}.
_PLACED = re.compile(r"\b([a-z]+[0-9]*(?:e\d+m\d+\w*)?)\[([\d,<=]*)\](\{[^}]*\})?")
_ON_CHIP = re.compile(r"S\([1-9]\d*\)")


def memory_bytes(program: Program) -> float:
    """Bytes read from and written to HBM, loops as often as they run."""
    return float(
        sum(
            times * _bytes(program, operation)
            for operation, times in program.operations(within=False)
        )
    )


def array_bytes(result: str, *, everywhere: bool = False) -> list[int]:
    """Bytes of each array of a type that lies in HBM, 0 for others.

    Args:
        result: a type in text, perhaps a tuple.
        everywhere: count arrays in memory on the chip too.
    """
    found = []
    for kind, sizes, layout in _PLACED.findall(result):
        bits = 8 if kind.startswith("f8") else BITS.get(kind, 0)
        shape = [int(size.removeprefix("<=")) for size in sizes.split(",") if size]
        there = everywhere or not _ON_CHIP.search(layout)
        found.append(-(-bits * math.prod(shape) // 8) if there else 0)
    return found


def _bytes(program: Program, operation: Operation) -> int:
    opcode = operation.opcode
    if opcode in _FREE or opcode.endswith(("-done", "-update")):
        return 0
    operands = [sum(array_bytes(kind)) for kind in program.operand_types(operation)]
    results = array_bytes(operation.result)
    if opcode == "fusion" and operation.called:
        inside = program.computations[operation.called[0]]
        read = [
            min(size, _read(program, inside, place)) if size else 0
            for place, size in enumerate(operands)
        ]
        written = [
            min(size, whole)
            for size, whole in zip(results, _written(program, inside), strict=False)
        ]
        return sum(read) + sum(written)
    if opcode in _SLICES:
        return min(sum(results), operands[0] or sum(results)) * (1 + bool(operands[0])) + sum(
            operands[1:]
        )
    if opcode == "dynamic-update-slice":
        update = sum(array_bytes(program.operand_types(operation)[1], everywhere=True))
        return operands[1] + (update if sum(results) else 0)
    if opcode == "copy-start":  # returns what it gives, what it was given and a context
        return sum(operands) + results[0]
    if opcode.endswith("-start"):  # return what they were given, what they give and a context
        arrays = array_bytes(operation.result, everywhere=True)
        given = len(program.operand_types(operation))
        if opcode.removesuffix("-start") in _SLICES:
            return arrays[1] * bool(operands[0]) + results[1]
        return sum(operands) + sum(results[given : 2 * given])
    return sum(operands) + sum(results)


def _read(program: Program, inside: list[Operation], place: int) -> int:
    """Bytes that a fusion reads of its operand at a place."""
    parameters = [one for one in inside if one.opcode == "parameter"]
    mine = next((one for one in parameters if one.operands.strip() == str(place)), None)
    return _used(program, inside, mine) if mine else 0


def _used(program: Program, inside: list[Operation], one: Operation) -> int:
    whole, used = sum(array_bytes(one.result, everywhere=True)), 0
    for user in inside:
        for position, name in enumerate(user.names):
            if name != one.name:
                continue
            if user.opcode in _SLICES and position == 0:
                used += sum(array_bytes(user.result, everywhere=True))
            elif user.opcode in _SAME:
                used += _used(program, inside, user)
            elif user.opcode == "fusion" and user.called:
                used += _read(program, program.computations[user.called[0]], position)
            elif not (user.opcode == "dynamic-update-slice" and position == 0):
                return whole
    return min(used, whole)


def _written(program: Program, inside: list[Operation]) -> list[int]:
    """Bytes that a fusion writes of each of its results."""
    named = {one.name: one for one in inside}
    root = inside[-1]
    results = [named[name] for name in root.names] if root.opcode == "tuple" else [root]
    return [_updated(program, inside, one) for one in results]


def _updated(program: Program, inside: list[Operation], one: Operation) -> int:
    named = {each.name: each for each in inside}
    if one.opcode in _SAME and one.names[0] in named:
        return _updated(program, inside, named[one.names[0]])
    if one.opcode == "dynamic-update-slice":
        return sum(array_bytes(program.operand_types(one)[1], everywhere=True))
    if one.opcode == "fusion" and one.called:
        written = _written(program, program.computations[one.called[0]])
        return sum(written)
    return sum(array_bytes(one.result, everywhere=True))
