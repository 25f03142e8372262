"""The table of captioners, from rows as a training leaves them."""

from dataclasses import replace

from benchmarks.compare_captioners import MODELS, captioner_config, rewarded_config, table


def row(*ciders):
    figures = {"loss_of_a_word": 0.5, "true": 0.25, "true_1": 1.0}
    figures["nearest"] = {"cider_d": 1.5, "true": 0.5}
    settings = {"steps": 2000, "batch_size": 128, "replicas": len(ciders)}
    return {
        "settings": settings,
        "parameters": 1234,
        "processor_seconds": 240.0,
        "figures": [figures | {"cider_d": cider} for cider in ciders],
    }


def test_table_gives_mean_and_spread_and_the_baseline():
    text = table({"RNN": row(1.0, 2.0)})
    lines = text.splitlines()
    assert lines[0].startswith(
        "2,000 steps of 128 captions, mean ± standard deviation over 2 seeds"
    )
    assert lines[4].startswith(
        "| RNN | 1,234 | 2.0 | 0.500 ± 0.000 | 1.500 ± 0.707 | 100.0% ± 0.0% | - |"
    )
    assert lines[5] == "| nearest neighbour, vector | - | - | - | 1.500 | - | - | - | 50.0% | - |"


def test_all_models_have_the_same_budget():
    configs = [captioner_config(name, 3, 70) for name in MODELS]
    assert {(c.steps, c.batch_size, c.seeds) for c in configs} == {(70, 64, (0, 1, 2))}
    assert [c.data.features for c in configs] == ["vector"] * 3 + ["grid"] * 4 + ["pixels"]
    layers = [getattr(c.captioner, "encoder_layers", None) for c in configs]
    assert layers == [None, None, 0, 0, None, None, 2, None]


def test_training_by_reward_goes_on_from_the_run_of_the_same_row(tmp_path):
    for name in MODELS:
        start = replace(captioner_config(name, 3, 70), workdir=str(tmp_path / "run"))
        config = rewarded_config(start, 20)
        assert config.objective.start == start.workdir != config.workdir
        assert (config.captioner, config.encoder, config.seeds) == (
            start.captioner,
            start.encoder,
            (0, 1, 2),
        )
        assert (config.steps, config.batch_size) == (20, 64)
