"""What would take more memory than there is, told before it is tried."""

import pytest

from jaxgen.errors import JaxgenError
from jaxgen.settings import memory

MEMINFO = "MemTotal: 4000 kB\nMemAvailable:    3000 kB\nSwapFree:  100 kB\n"


@pytest.fixture
def machine(tmp_path):
    def write(**files):
        for name, text in {"proc/meminfo": MEMINFO, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_the_machine_and_the_container_tell_what_is_free(machine):
    assert memory.free(machine()) == 3100 * 1024
    group = {"sys/fs/cgroup/memory.max": "5000\n", "sys/fs/cgroup/memory.current": "2000\n"}
    assert memory.free(machine(**group)) == 3000
    assert memory.free(machine(**group | {"sys/fs/cgroup/memory.max": "max\n"})) == 3100 * 1024


def test_older_containers_tell_it_elsewhere(machine):
    folder = "sys/fs/cgroup/memory/memory."
    old = {f"{folder}limit_in_bytes": "900\n", f"{folder}usage_in_bytes": "1000\n"}
    assert memory.free(machine(**old)) == 0


def test_the_total_is_that_of_the_machine_or_the_container(machine, monkeypatch):
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 10, "SC_PAGE_SIZE": 1000}.get)
    assert memory.total(machine()) == 10_000
    limit = "sys/fs/cgroup/memory.max"
    assert memory.total(machine(**{limit: "5000\n"})) == 5000
    assert memory.total(machine(**{limit: "max\n"})) == 10_000
    older = {limit: "max\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "900\n"}
    assert memory.total(machine(**older)) == 900


def test_the_refusal_says_what_takes_how_much():
    memory.refuse_too_much(10, "this", "do that", most=10)
    with pytest.raises(JaxgenError) as told:
        memory.refuse_too_much(3_100_000_000, "drawing it", "draw fewer", most=2_000_000)
    assert str(told.value) == (
        "drawing it would take 3.1 GB of memory, of which 2.0 MB are free: draw fewer"
    )


@pytest.mark.parametrize(
    ("size", "words"),
    [(999, "999 bytes"), (10**6, "1.0 MB"), (2_100_000_000_000, "2.1 TB"), (10**18, "1000000 TB")],
)
def test_sizes_in_words(size, words):
    assert memory.in_words(size) == words
