"""Whether what numbers ask for fits into memory: asked before it is tried.

A process that takes more than there is ends without a word, and takes others with it.
"""

import os
import sys
from pathlib import Path

from jaxgen.errors import JaxgenError

_ROOT = Path("/")


def free(root: Path = _ROOT) -> int | None:
    """Bytes that this process can still take: of the machine, and of its control group.

    Args:
        root: of the file system that tells.

    Returns:
        The lower of the two; None where nothing tells.
    """
    found = [value for value in (_of_machine(root), _of_group(root)) if value is not None]
    return min(found, default=None)


def used(root: Path = _ROOT) -> int | None:
    """Bytes of memory that this process holds now; where only its peak is told, that.

    Args:
        root: of the file system that tells.

    Returns:
        None where nothing tells.
    """
    try:
        pages = int((root / "proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError, LookupError):  # not Linux
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def total(root: Path = _ROOT) -> int | None:
    """Bytes of the machine's memory, or of what its control group may take: always the same.

    Args:
        root: of the file system that tells.

    Returns:
        The lower of the two; None where nothing tells.
    """
    groups = root / "sys/fs/cgroup"
    limits = [_number(groups / name) for name in ("memory.max", "memory/memory.limit_in_bytes")]
    found = [value for value in (_pages(), *limits) if value is not None]
    return min(found, default=None)


def refuse_too_much(needed: int, what: str, advice: str, most: int | None = None) -> None:
    """Refuse what takes more memory than there is.

    Args:
        needed: bytes that it takes at the least.
        what: takes them, the subject of a sentence.
        advice: what to do, a clause.
        most: bytes that there are; by default `free()`.

    Raises:
        JaxgenError: it takes more.
    """
    most = free() if most is None else most
    if most is not None and needed > most:
        raise JaxgenError(
            f"{what} would take {in_words(needed)} of memory, of which {in_words(most)} are free: "
            f"{advice}"
        )


def in_words(size: int) -> str:
    """Bytes as a person says them, `3.1 GB` for one."""
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}" if size < 1000 * unit else f"{size // unit} {name}"
    return f"{size} bytes"


def _of_machine(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        sizes = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
        return 1024 * (int(sizes["MemAvailable"][0]) + int(sizes["SwapFree"][0]))
    except (OSError, ValueError, LookupError):  # not Linux
        pass
    return _pages()


def _pages() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max" where there is no limit
        return None


def _of_group(root: Path) -> int | None:
    """What the control group of a container leaves, by either version of the kernel's files."""
    groups = root / "sys/fs/cgroup"
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most, taken = _number(groups / limit), _number(groups / used)
        if most is not None and taken is not None:
            return max(0, most - taken)
    return None
