"""One process trains in a folder at a time, and a dead one holds nothing."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

import jaxgen
from experiments import vanilla_gan
from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training.run_lock import RunLock

HOLD = """
import sys, time
from pathlib import Path
from jaxgen.training.run_lock import RunLock
lock = RunLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the lock on the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_another_process_is_named_and_its_death_frees_the_folder(tmp_path, holder):
    with RunLock(tmp_path) as lock:
        with pytest.raises(JaxgenError, match=f"another process trains in .*process {holder.pid}"):
            lock.acquire()
        holder.kill()
        holder.wait()
        lock.acquire()
        lock.acquire()  # this process has it
    with RunLock(tmp_path) as lock:
        lock.acquire()
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()


def config(folder):
    networks = MLP(generator_hidden=(4,), generator_normalized=(), discriminator_hidden=(4,))
    return replace(
        vanilla_gan.config,
        networks=networks,
        steps=4,
        batch_size=8,
        log_every=2,
        workdir=str(folder),
    )


def test_a_run_is_not_trained_twice_at_once(tmp_path, holder):
    """Neither a new one, whose folder another process has just made, nor one that is there."""
    with pytest.raises(JaxgenError, match="another process trains in"):
        jaxgen.run(config(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}
    holder.kill()
    holder.wait()
    jaxgen.run(config(tmp_path))  # what the other left is no stranger's folder
    before = (tmp_path / "config.json").read_bytes()
    again = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert again.stdout.readline() == "held\n"
    with pytest.raises(JaxgenError, match="another process trains in"):
        jaxgen.run(replace(config(tmp_path), steps=6))
    again.kill()
    again.communicate()
    assert (tmp_path / "config.json").read_bytes() == before
