"""`metrics.csv`: a row a step, cut back when a run goes on, and not trusted where it is damaged."""

import numpy as np
import pytest

from jaxgen.training.metrics_file import MetricsFile, newest_metrics, read_metrics

SOUND = "step,d_loss,fid\n1,0.5,\n2,0.25,\n3,0.125,7\n4,0.0625,\n"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "metrics.csv").write_text(SOUND)
    return tmp_path / "metrics.csv"


def test_metrics_by_name_without_empty_cells(path, tmp_path):
    metrics = read_metrics(path)
    assert metrics["d_loss"][0].tolist() == [1, 2, 3, 4]
    assert metrics["fid"] == (np.array([3]), np.array([7.0]))
    assert read_metrics(tmp_path / "absent.csv") == {}


def test_a_run_that_goes_on_cuts_its_rows_back_and_may_get_a_column(path, capsys):
    file = MetricsFile(path, 3)
    assert path.read_text() == "".join(SOUND.splitlines(keepends=True)[:4])
    file.add([{"step": 4, "d_loss": "0.5", "kid": "1"}])
    metrics = read_metrics(path)
    assert metrics["d_loss"][1].tolist() == [0.5, 0.25, 0.125, 0.5]
    assert metrics["kid"][0].tolist() == [4]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        (lambda text: text.replace("2,0.25", "2,0.2x5"), [1, 3]),
        (lambda text: text.replace("2,0.25,", "2,nan,"), [1, 3]),
        (lambda text: text.replace("2,0.25", "x,0.25"), [1, 3]),
        (lambda text: text.replace("2,0.25", "1,0.25"), [1, 3]),
        (lambda text: text.replace("2,0.25,\n", ""), [1, 3]),
        (lambda text: text.replace("2,0.25,", "2,0.25,,,9"), [1, 3]),
        (lambda text: text.replace("2,0.25,", "2\x00,0.25"), [1, 3]),
        (lambda text: text.replace("step", "stop"), []),
        (lambda text: text.replace("d_loss", "d\xfcloss"), []),
        (lambda text: text[:23], [1]),
        (lambda text: "", []),
        (lambda text: "\xff\xfe" * 50, []),
    ],
)
def test_damaged_rows_are_told_and_the_sound_ones_kept(path, capsys, damage, kept):
    path.write_bytes(damage(SOUND).encode("latin-1"))
    before = path.read_bytes()
    MetricsFile(path, 3)
    told = capsys.readouterr().err
    assert f"sound rows for {len(kept)} of 3 steps" in told
    assert told.count("\n") == 1
    assert path.with_name("damaged-metrics.csv").read_bytes() == before
    steps = read_metrics(path)["d_loss"][0].tolist() if kept else []
    assert steps == kept


def test_a_missing_file_is_told(tmp_path, capsys):
    MetricsFile(tmp_path / "metrics.csv", 2)
    assert "has sound rows for 0 of 2 steps\n" in capsys.readouterr().err
    MetricsFile(tmp_path / "new.csv", 0)
    assert capsys.readouterr().err == ""


def test_a_changed_digit_is_told(tmp_path, capsys):
    """Also where what was changed is still a number, and in a file with a new column."""
    path = tmp_path / "metrics.csv"
    file = MetricsFile(path, 0)
    file.add([{"step": "1", "loss": "0.125"}])
    file.add([{"step": "2", "loss": "0.5"}, {"step": "3", "loss": "0.75", "fid": "9"}])
    file.add([{"step": "4", "loss": "1.5"}])
    MetricsFile(path, 4)
    assert not capsys.readouterr().err
    altered = path.read_bytes().replace(b"0.125", b"0.625")
    path.write_bytes(altered)
    MetricsFile(path, 3)
    told = capsys.readouterr().err
    assert "sound rows for 3 of 3 steps but is not as it was written" in told
    assert (tmp_path / "damaged-metrics.csv").read_bytes() == altered
    MetricsFile(path, 2)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("mark", [b"", b"\0" * 40, b"many 00"])
def test_a_lost_checksum_is_no_damage(tmp_path, capsys, mark):
    path = tmp_path / "metrics.csv"
    MetricsFile(path, 0).add([{"step": "1", "loss": "0.125"}])
    (tmp_path / "metrics.sha256").write_bytes(mark)
    MetricsFile(path, 1)
    assert not capsys.readouterr().err


def test_the_newest_of_each_metric_is_read_from_the_end(tmp_path):
    path = tmp_path / "metrics.csv"
    assert newest_metrics(path) == (0, {})
    lines = [f"{step},{1 / step:.6g},{'' if step % 1000 else step}\n" for step in range(1, 100_001)]
    path.write_text("step,loss,fid\n" + "".join(lines))
    assert newest_metrics(path) == (100_000, {"loss": 1e-5, "fid": 100_000})
    path.write_text("step,loss,fid\n" + "".join(lines[:9]) + "10,0.1")  # a run that was killed
    assert newest_metrics(path) == (9, {"loss": 0.111111})
    path.write_bytes(b"\xff\0" * 99)
    assert newest_metrics(path) == (0, {})
