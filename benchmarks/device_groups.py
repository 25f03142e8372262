"""Which devices of a compiled program talk to each other, read from its text.

XLA writes the groups of a collective in four ways, all of them by a device's place in the mesh:
`{{0,1},{2,3}}`; `[2,2]<=[4]` and `[2,2]<=[2,2]T(1,0)`, rows of a range, which may be transposed;
`mesh['a'=2,'b'=2] {'b'}`, those that differ along the named axes alone; and pairs of source and
target. `{}` is one group of all.
"""

import math
import re

import numpy as np

_COLLECTIVE = re.compile(
    r" (?:all-reduce|all-gather|reduce-scatter|all-to-all|ragged-all-to-all|collective-permute"
    r"|collective-broadcast)(?:-start)?\("
)
_LISTED = re.compile(r"replica_groups=\{((?:\{[\d, ]*\},? ?)*)\}")
_RANGE = re.compile(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_MESH = re.compile(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}")


def device_groups(text: str, devices: int) -> set[frozenset[int]]:
    """The groups of all collectives of a program.

    Args:
        text: of the optimised program, as `compiled.as_text()` gives it.
        devices: how many it is for.

    Returns:
        Places of devices that exchange something; those of a single device are left out.

    Raises:
        ValueError: a collective whose groups cannot be read.
    """
    found = set[frozenset[int]]()
    for line in text.splitlines():
        if _COLLECTIVE.search(line):
            found |= {frozenset(group) for group in _groups(line, devices)}
    return {group for group in found if len(group) > 1}


def _groups(line: str, devices: int) -> list[list[int]]:
    if pairs := re.search(r"source_target_pairs=\{((?:\{\d+,\d+\},?)*)\}", line):
        return _lists(pairs[1])
    if listed := _LISTED.search(line):
        return _lists(listed[1]) or [list(range(devices))]
    if ranged := _RANGE.search(line):
        shape, of, turned = (_numbers(part or "") for part in ranged.groups())
        places = np.arange(math.prod(of)).reshape(of)
        return (places.transpose(turned) if turned else places).reshape(shape).tolist()
    if on_mesh := _MESH.search(line):
        axes = re.findall(r"'(\w+)'=(\d+)", on_mesh[1])
        named = re.findall(r"'(\w+)'", on_mesh[2])
        places = np.arange(devices).reshape([int(size) for _, size in axes])
        along = [index for index, (name, _) in enumerate(axes) if name in named]
        across = [index for index in range(len(axes)) if index not in along]
        width = math.prod(places.shape[index] for index in along)
        return places.transpose([*across, *along]).reshape(-1, width).tolist()
    raise ValueError(f"cannot tell whom this reaches: {line.strip()[:300]}")


def _lists(text: str) -> list[list[int]]:
    return [_numbers(group) for group in re.findall(r"\{([\d, ]*)\}", text)]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
