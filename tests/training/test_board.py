"""TensorBoard's events: read back by its own library; what cannot be written is said once."""

import os
import struct
import subprocess
import sys

import numpy as np
from tensorboardX.proto import event_pb2
from tensorboardX.record_writer import masked_crc32c

from jaxgen.training.board import Board


def events(folder):
    (path,) = folder.iterdir()
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("Q", data[:8])
        assert struct.unpack("I", data[8:12]) == (masked_crc32c(data[:8]),)
        content, data = data[12 : 12 + length], data[12 + length :]
        assert struct.unpack("I", data[:4]) == (masked_crc32c(content),)
        data = data[4:]
        found.append(event_pb2.Event.FromString(content))
    return found


def test_figures_and_pictures_are_events_after_the_start_of_a_session(tmp_path):
    board = Board(tmp_path / "tensorboard", 7)
    assert not (tmp_path / "tensorboard").exists()
    board.scalars(8, {"loss": 0.5, "fid": 3.0})
    board.picture(9, np.full((4, 6), 200, np.uint8))
    version, session, loss, fid, picture = events(tmp_path / "tensorboard")
    assert version.file_version == "brain.Event:2"
    assert (session.step, session.session_log.status) == (8, event_pb2.SessionLog.START)
    told = [(e.step, e.summary.value[0].tag, e.summary.value[0].simple_value) for e in (loss, fid)]
    assert told == [(8, "loss", 0.5), (8, "fid", 3.0)]
    image = picture.summary.value[0].image
    assert (picture.step, image.height, image.width) == (9, 4, 6)


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, capsys):
    (tmp_path / "tensorboard").touch()
    board = Board(tmp_path / "tensorboard", 0)
    board.scalars(1, {"loss": 0.5})
    board.scalars(2, {"loss": 0.5})
    assert capsys.readouterr().err.count("goes without events") == 1


def test_pytorch_stays_where_it_is(tmp_path):
    """tensorboardX imports it for nothing that is used here: a run would be 480 MB larger."""
    (tmp_path / "torch.py").write_text("Tensor = int")
    code = (
        "import sys; from pathlib import Path; from jaxgen.training.board import Board; "
        "Board(Path(sys.argv[1]), 0).scalars(1, {'loss': 0.5}); "
        "assert 'torch' not in sys.modules; import torch; print(torch.Tensor)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "events")],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "<class 'int'>\n", done.stderr
    assert len(events(tmp_path / "events")) == 3
