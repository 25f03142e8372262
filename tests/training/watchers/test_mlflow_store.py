"""MLflow itself, asked what it holds of a run that stopped and went on."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.training.watchers import conftest

pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("default")  # of a large package


@pytest.fixture
def store(monkeypatch):
    from jaxgen.training.watchers.mlflow_store import MlflowStore

    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    return MlflowStore


def test_a_run_that_stopped_goes_on_as_one(store, watched, tmp_path):
    import mlflow

    assert watched({"mlflow": store()}, 0, (10, 20, 30), "interrupted") == []
    assert [path.name for path in (tmp_path / "mlflow").glob("*mlflow.db")] == ["mlflow.db"]
    uri = f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("jaxgen").experiment_id
    (run,) = client.search_runs([experiment])
    assert run.info.status == "KILLED"
    note = tmp_path / "watch" / "mlflow.json"
    content = json.loads(note.read_text())
    del content["sha256"]
    # As if it had been killed after 30 was written and before that was noted.
    content["told"]["scalars"] = 20
    from jaxgen.data.sealing import sealed

    note.write_text(json.dumps(sealed(content)))
    assert watched({"mlflow": store()}, 20, (30, 40), config=conftest.CONFIG | {"loss": "y"}) == []
    (run,) = client.search_runs([experiment])
    assert (run.info.status, run.data.tags["state"]) == ("FINISHED", "finished")
    for name, sign in (("d_loss", 1), ("seed_3/d_loss", -1)):
        history = client.get_metric_history(run.info.run_id, name)
        told = sorted((m.step, m.value) for m in history)
        assert told == [(step, sign * step / 10) for step in (10, 20, 30, 40)]
    assert run.data.params["networks.hidden"] == "[8, 8]"
    assert (run.data.params["loss"], run.data.tags["from step 20: loss"]) == ("x", "y")
    assert run.data.tags["versions.jax"] == "0.10.2"
    assert run.data.tags["alarm at step 20"] == "looks wrong at 20; and so does this"
    pictures = sorted((tmp_path / "mlflow" / "artifacts").rglob("samples*.png"))
    assert [path.name.split("step")[1].split("timestamp")[0] for path in pictures] == [
        "+20+", "+40+",
    ]  # fmt: skip
    with Image.open(pictures[0]) as picture:
        assert np.array_equal(np.asarray(picture), conftest.PICTURE)
    (text,) = (tmp_path / "mlflow" / "artifacts").rglob("samples/*.txt")
    assert text.read_text() == "a cat"


def test_a_place_of_the_users_own(store, watched, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "elsewhere").as_uri())
    (sentence,) = watched({"mlflow": store()}, 0, (10,))  # which MLflow refuses: no database
    assert "the watcher mlflow failed in start (MlflowException: " in sentence
    assert not (tmp_path / "mlflow").exists()
