"""Compiled programs in the cache: what cannot be read is deleted, and said in a line."""

import os
import subprocess
import sys
import zlib

import pytest

from jaxgen.data import compiled_programs

SOUND = zlib.compress(bytes(range(256)) * 9000)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "jit_a-cache").write_bytes(SOUND)
    return tmp_path


@pytest.mark.parametrize(
    "content",
    [b"", SOUND[:-1], SOUND[: len(SOUND) // 2], SOUND[:50] + b"\0" + SOUND[51:], b"other"],
)
def test_a_program_that_cannot_be_read_is_deleted(place, content):
    (place / "jit_b-cache").write_bytes(content)
    assert compiled_programs.sweep(place) == 1
    assert {path.name for path in place.iterdir()} == {"jit_a-cache", ".checked"}


def test_a_pipe_in_place_of_a_program_does_not_hang(place):
    os.mkfifo(place / "jit_b-cache")
    assert compiled_programs.sweep(place) == 1


def test_only_new_programs_are_looked_at_unless_all_are_asked_for(place):
    assert compiled_programs.sweep(place) == 0
    old = place / "jit_old-cache"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    assert compiled_programs.sweep(place) == 0
    assert compiled_programs.sweep(place, everything=True) == 1
    assert (place / "jit_a-cache").exists()


def test_no_folder_yet(tmp_path):
    assert compiled_programs.sweep(tmp_path / "none") == 0
    assert not (tmp_path / "none").exists()


PROGRAM = """
import jax
from jaxgen.data import compiled_programs
compiled_programs.keep()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
print(jax.jit(lambda x: x + 1)(1))
"""


def test_processes_on_cpus_keep_no_programs(tmp_path):
    """Warm, two processes of two devices died in the stacked digits' first step, or hung."""
    for name, before in (("one", ""), ("several", "import jax; jax.process_count = lambda: 2")):
        environment = os.environ | {"JAXGEN_CACHE_DIR": str(tmp_path / name)}
        subprocess.run([sys.executable, "-c", before + PROGRAM], env=environment, check=True)
    assert list((tmp_path / "one").glob("compiled/*-cache"))
    assert not list((tmp_path / "several").glob("compiled/*-cache"))


def test_damage_that_jax_meets_is_told_in_a_line_and_mended(tmp_path):
    def run():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"JAXGEN_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.stdout == "2\n", done.stderr
        return done.stderr

    assert run() + run() == ""
    (program,) = (tmp_path / "compiled").glob("jit__lambda*-cache")
    size = program.stat().st_size
    program.write_bytes(program.read_bytes()[:100])
    os.utime(program, (0, 0))  # damaged long after it was checked
    told = run()
    assert told.startswith("warning: 1 damaged compiled programs in ")
    assert told.count("\n") == 1
    assert program.stat().st_size == size
    assert run() == ""
