"""Command lines that once failed, each in a fork, and that a line can be had again."""

import shlex

import pytest

from tests.faults.command_lines import fill, make_pictures
from tests.faults.forked import Server
from tests.faults.generated_lines import line
from tests.faults.processes import environment, refused

TRAIN = "train vanilla_gan --workdir run --steps 2 --batch-size 8"
WIDE = "--networks.generator-hidden 65536 65536"
REFUSED = [
    # A process that the system killed, or a traceback of XLA's, after the run's folder was made.
    (f"{TRAIN} {WIDE}", "training these networks would take 104.5 GB"),
    (f"{TRAIN} --steps 1048576 --log-every 1048576 --batch-size 5000", "give a smaller --log-ev"),
    # Numbers that arithmetic in float32 turns into infinity, 0 or 1.
    (f"{TRAIN} --optimizer.learning-rate 1e300", "limits of float32"),
    (f"{TRAIN} --optimizer.learning-rate 5e-324", "must be above 0 in float32 too"),
    (f"{TRAIN} --optimizer.b1 0.99999999999", "must be below 1 in float32 too"),
    ("train minimax --workdir run --step-sizes 1e300", "limits of float32"),
    # Memory and time without end, or a traceback of Matplotlib's.
    ("train minimax --workdir run --steps 100000", "--steps must be at most 1000"),
    ("train minimax --workdir run --step-sizes" + " 1" * 200, "needs 1 to 12 numbers, got 200"),
    ("train minimax --workdir ''", "--workdir must name a folder"),
    # Code of a user's own that leaves, or a place that is nobody's.
    (f"{TRAIN} --import exits.py", "exits.py cannot be imported (SystemExit: 3)"),
    (f"{TRAIN} --import ~nobody", "~nobody cannot be imported"),
    # Another flag than the one that was given, or another command's.
    ("caption file.txt --top-p 0", "--top-p must be in (0, 1]"),
    ("caption empty --temperature 1e-30", "--temperature must be 0, for the most probable words"),
    ("caption empty --beam 2 --length-penalty 1e300", "--length-penalty must be"),
    ("sample ''", "name the folder of a run"),
    ("sample empty", "empty is not a run: it holds no config.json"),
    ("sample file.txt", "file.txt is not a run: it is not a folder"),
    ("sample empty --labels 99999999999999999999", "--labels must be at most 2147483647"),
    ("sample empty --out pipe.png", "there is something that is not a file"),
    ("sample empty --out folder.png", "there is something that is not a file"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(environment(tmp_path_factory.mktemp("cache"), JAX_PLATFORMS="cpu"))
    yield started
    started.close()


@pytest.fixture
def folder(tmp_path):
    shared, place = tmp_path / "shared", tmp_path / "trial"
    make_pictures(shared)
    place.mkdir()
    fill(place, shared)
    return place


@pytest.mark.parametrize(("words", "sentence"), REFUSED)
def test_is_refused_in_a_sentence(server, folder, tmp_path, words, sentence):
    before = sorted(folder.rglob("*"))
    ended = server.run(shlex.split(words), folder, tmp_path, 20)
    assert refused(ended), ended.errors
    assert sentence in ended.errors
    after = sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    assert after == before


def test_a_number_decides_the_line():
    assert line(7) == line(7)
    assert len({tuple(line(seed)) for seed in range(10)}) > 7
