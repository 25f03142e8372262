"""Several processes train as one does: every experiment, and a run that moves between machines."""

import csv
import json
import subprocess
import sys
import threading
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors import safe_open

from benchmarks import local_jobs
from jaxgen.data.captions.base import load_captions
from jaxgen.errors import JaxgenError
from jaxgen.training import keeping, processes
from jaxgen.training.checkpoints import Checkpoints
from jaxgen.training.task import Source
from tests.training import members

pytestmark = [pytest.mark.early, pytest.mark.long, pytest.mark.job]
ALL = members.GANS + members.CAPTIONERS
LONGEST = 900  # seconds of a training, however busy the machine is


class Group:
    """Processes of this machine that train what they are asked to, one thing after the other."""

    def __init__(self, processes, devices):
        load_captions(members.SCENES)  # made once, before all ask for it
        self._members = local_jobs.start(
            [[sys.executable, "-m", "tests.training.members"]] * processes,
            devices,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(members.__file__).parents[2],
        )

    def train(self, folder, steps, experiments, **fields):
        """Train up to a step; returns what each process said."""
        asked = {"folder": str(folder), "steps": steps, "experiments": experiments, **fields}
        watch = threading.Timer(LONGEST, self.kill)
        watch.start()
        try:
            for member in self._members:
                print(json.dumps(asked), file=member.stdin, flush=True)
            answers = [member.stdout.readline() for member in self._members]
        finally:
            watch.cancel()
        assert all(answers), "a process ended; the captured output says why"
        return [json.loads(answer) for answer in answers]

    def kill(self):
        for member in self._members:
            member.kill()
            member.wait()

    def end(self):
        """Let all end by themselves; returns their exit codes."""
        for member in self._members:
            member.stdin.close()
            member.stdout.close()
        return [member.wait(60) for member in self._members]


def group(processes, devices):
    started = Group(processes, devices)
    try:
        yield started
        assert not any(started.end())
    finally:
        started.kill()


@pytest.fixture(scope="module")
def two():
    """Two processes of two devices each."""
    yield from group(2, 2)


@pytest.fixture(scope="module")
def one():
    """A process of four devices."""
    yield from group(1, 4)


def test_what_the_processes_have_not_alike_is_named(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 3)
    told = {"version": "0.2.0", "commit": "a", "jax": "0.10.2"}
    monkeypatch.setattr(processes, "gathered", lambda value: [value, value, told | {"jax": "0.12"}])
    words = 'not the same code: jax is "0.10.2" on process 0 and "0.12" on process 2; give all'
    with pytest.raises(JaxgenError, match=words):
        processes.refuse_differences("code", lambda: told)
    monkeypatch.setattr(processes, "gathered", lambda value: [value] * 3)
    processes.refuse_differences("code", lambda: told)


def test_what_one_process_cannot_do_ends_all(monkeypatch):
    def fails():
        raise JaxgenError("no such file")

    monkeypatch.setattr(processes, "gathered", lambda value: ["", "no such file"])
    with pytest.raises(JaxgenError, match=r"^no such file"):
        processes.together(fails)
    with pytest.raises(JaxgenError, match="process 1 refused: no such file"):
        processes.together(lambda: "well")
    monkeypatch.setattr(processes, "gathered", lambda value: ["", ""])
    assert processes.together(lambda: "well") == "well"


def test_a_hash_tells_sets_of_data_apart():
    images = np.arange(24, dtype=np.uint8).reshape(6, 4)
    other = images.copy()
    other[5, 3] += 1
    assert Source.of({"x": images}).digest() == Source.of({"x": images.copy()}).digest()
    assert Source.of({"x": images}).digest() != Source.of({"x": other}).digest()
    read = [Source(6, {}, chunk=data.__getitem__).digest() for data in (images, images, other)]
    assert read[0] == read[1] != read[2]


def test_one_number_of_many_tells_sets_on_the_host_apart():
    config = members.small("vanilla_gan", workdir="", steps=2)
    images = np.zeros((1000, 4), np.uint8)
    other = images.copy()
    other[777, 3] = 1
    first, second = (keeping.on_host({"x": array}, config) for array in (images, other))
    assert first.digest() != second.digest()
    assert first.digest() == keeping.on_host({"x": images.copy()}, config).digest()


def rows(run):
    with open(run / "metrics.csv") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(two, tmp_path_factory):
    """Every experiment's run by two processes of two devices, and what they said."""
    folder = tmp_path_factory.mktemp("two")
    return folder, two.train(folder, 20, ALL)


def test_every_experiment_trains_in_two_processes(trained):
    folder, (first, second) = trained
    for name in ALL:
        assert [row["step"] for row in rows(folder / name)] == [str(i) for i in range(1, 21)]
        summary = json.loads((folder / name / "summary.json").read_text())
        assert (summary["finished"], summary["step"]) == (True, 20)
        assert summary["device"].startswith("4 x ")
        files = sorted(path.name for path in (folder / name / "checkpoints" / "20").iterdir())
        assert files == [f"state-0000{i}-of-00002.safetensors" for i in range(2)]
        assert f"starting in {folder / name}" in first
    assert "starting" not in second


def test_four_devices_of_one_process_give_the_same_up_to_the_order_of_sums(trained, one, tmp_path):
    folder, _ = trained
    some = {"mlp_gan": "d_loss", "caption_lstm": "loss"}
    one.train(tmp_path, 20, list(some))
    for name, loss in some.items():
        ours, theirs = (
            np.array([float(row[loss]) for row in rows(run / name)]) for run in (folder, tmp_path)
        )
        # Adam makes a step of full size of the smallest gradient, and so of a rounding error.
        np.testing.assert_allclose(ours[:3], theirs[:3], rtol=1e-3)
        np.testing.assert_allclose(ours, theirs, rtol=0.1)


def test_a_run_moves_between_numbers_of_devices_and_processes(trained, two, one, tmp_path):
    """Two processes with split parameters, then 4 devices, 2, 1 and 4 of one, then two again."""
    some, run = ["mlp_gan"], tmp_path / "mlp_gan"
    two.train(tmp_path, 10, some, shard_parameters=True)
    _assert_is_split(run)
    for steps, devices in ((12, 4), (14, 2), (16, 1), (18, 4)):
        one.train(tmp_path, steps, some, devices=devices, shard_parameters=devices != 2)
        assert len(rows(run)) == steps
        assert Checkpoints(run / "checkpoints").steps()[-1] == steps
    two.train(tmp_path, 20, some, shard_parameters=True)
    folder, _ = trained
    # The same run, but for the order of sums.
    ours, theirs = (float(rows(whole)[-1]["d_loss"]) for whole in (run, folder / "mlp_gan"))
    assert ours == pytest.approx(theirs, rel=0.1)


def _assert_is_split(run):
    """Each process wrote other parts, none the whole of what is split, all of it together."""
    held = []
    for path in sorted((run / "checkpoints" / "10").iterdir()):
        with safe_open(path, framework="numpy") as file:
            told = json.loads(file.metadata()["jaxgen"])
            names = file.keys()
            held.append({name: file.get_slice(name).get_shape() for name in names})
        assert told["parts"]
        for tensor, (name, _, shape) in told["parts"].items():
            assert np.prod(held[-1][tensor]) * 4 == np.prod(shape), name
    assert not held[0].keys() & held[1].keys()
