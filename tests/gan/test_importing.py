"""The notebooks' PyTorch generators become jaxgen's and back: the same images to 1e-5.

The modules here are written as the notebooks write them, narrower, and not as jaxgen converts them.
"""

import importlib
import importlib.util
import pickle

import numpy as np
import pytest

import jaxgen
from jaxgen.commands import import_
from jaxgen.errors import JaxgenError
from jaxgen.training.exporting import folder

torch = pytest.importorskip("torch", reason="PyTorch is not there")
nn = torch.nn
torch.set_num_threads(1)  # more would wait for each other longer than they compute


def vanilla():
    layers = nn.Linear(11, 12), nn.ReLU(), nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 784), nn.Tanh()
    return nn.Sequential(*layers)


class Homework(nn.Module):
    """The homework's generator: blocks with batch norm inside of one Sequential."""

    def __init__(self, inputs, epsilon=1e-5):
        super().__init__()

        def block(inside, outside, normalize=True):
            norm = [nn.BatchNorm1d(outside, epsilon)] if normalize else []
            return [nn.Linear(inside, outside), *norm, nn.LeakyReLU(0.2)]

        self.model = nn.Sequential(
            *block(inputs, 6, normalize=False),
            *block(6, 8),
            *block(8, 10),
            *block(10, 12),
            nn.Linear(12, 784),
            nn.Tanh(),
        )

    def forward(self, x):
        return self.model(x)


def convolutional(inputs):
    return nn.Sequential(
        nn.Linear(inputs, 10), nn.ReLU(), nn.BatchNorm1d(10),
        nn.Linear(10, 7 * 7 * 6), nn.ReLU(), nn.BatchNorm1d(7 * 7 * 6), nn.Unflatten(1, (6, 7, 7)),
        nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1), nn.ReLU(), nn.BatchNorm2d(4),
        nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1), nn.Tanh(), nn.Flatten(),
    )  # fmt: skip


GENERATORS = {
    "vanilla_gan": vanilla,
    "lsgan": vanilla,
    "mlp_gan": lambda: Homework(11),
    "conditional_gan": lambda: Homework(21),
    "dcgan": lambda: convolutional(11),
    "conditional_dcgan": lambda: convolutional(21),
}
ROWS = 12


def trained(make):
    """A generator whose running averages are those of a few batches."""
    torch.manual_seed(3)
    generator = make()
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if parameter.ndim > 1:  # of a size at which images differ
                parameter.mul_(2.0 if "model" in name or parameter.ndim == 4 else 1.5)
        first = next(x for x in generator.modules() if isinstance(x, nn.Linear))
        for _ in range(4):
            generator(torch.randn(16, first.in_features) + 0.3)
    return generator.eval()


def inputs(conditional):
    noise = np.random.default_rng(5).uniform(-1, 1, (ROWS, 11)).astype(np.float32)
    label = np.arange(ROWS) % 10
    one_hot = np.eye(10, dtype=np.float32)[label] if conditional else np.zeros((ROWS, 0), "f4")
    return noise, label, torch.from_numpy(np.concatenate([noise, one_hot], axis=1))


def module_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_makes_the_same_images_both_ways(name, tmp_path):
    generator = trained(GENERATORS[name])
    noise, label, rows = inputs("conditional" in name)
    with torch.no_grad():
        expected = generator(rows).numpy().reshape(-1, 28, 28, 1)
    torch.save(generator.state_dict(), tmp_path / "G.pth")
    flags = ["--torch", str(tmp_path / "G.pth"), "--as", name, "--out", str(tmp_path / "in")]
    assert import_.main(flags) == 0
    model = jaxgen.load(tmp_path / "in")
    made = model._sampler.sample_from(model._weights, noise, label)
    assert np.abs(expected).max() > 0.1
    assert np.abs(expected - expected[:1]).max() > 0.05
    np.testing.assert_allclose(made, expected, atol=1e-5)

    folder.write(model, tmp_path / "out", folder.Extras(torch=True))
    back = module_of(tmp_path / "out" / "torch_generator.py")
    with torch.no_grad():
        again = back.load()(rows).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(again, expected, atol=1e-5)
    assert back.check() < 1e-5
    for name, array in back.load().state_dict().items():
        if "num_batches" not in name:
            own = [x for x in generator.state_dict() if x.endswith(name)]
            assert torch.equal(array, generator.state_dict()[own[0]])


def test_batch_statistics_are_pytorchs_in_training(tmp_path):
    """Momentum 0.1 and the unbiased variance: after a pass in training both have the same."""
    generator = trained(GENERATORS["dcgan"])
    torch.save(generator.state_dict(), tmp_path / "G.pth")
    flags = ["--torch", str(tmp_path / "G.pth"), "--as", "dcgan", "--out", str(tmp_path / "in")]
    import_.main(flags)
    model = jaxgen.load(tmp_path / "in")
    noise, _, rows = inputs(conditional=False)
    with torch.no_grad():
        generator.train()(rows)
    variables = {"params": model.params, "batch_stats": model._weights.stats}
    _, updated = model.module.apply(variables, noise, train=True, mutable=["batch_stats"])
    ours = updated["batch_stats"]["BatchNorm_2"]["BatchNorm_0"]
    theirs = generator[9]
    np.testing.assert_allclose(ours["mean"], theirs.running_mean.numpy(), atol=1e-5)
    np.testing.assert_allclose(ours["var"], theirs.running_var.numpy(), atol=1e-5)


def test_another_epsilon_is_taken_up_by_the_variances(tmp_path):
    generator = trained(lambda: Homework(11, epsilon=0.8))
    noise, label, rows = inputs(conditional=False)
    torch.save(generator.state_dict(), tmp_path / "G.pth")
    flags = ["--torch", str(tmp_path / "G.pth"), "--as", "mlp_gan", "--epsilon", "0.8"]
    assert import_.main([*flags, "--out", str(tmp_path / "in"), "--license", "mit"]) == 0
    model = jaxgen.load(tmp_path / "in")
    with torch.no_grad():
        expected = generator(rows).numpy().reshape(-1, 28, 28, 1)
    made = model._sampler.sample_from(model._weights, noise, label)
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_safetensors_with_more_than_ten_modules_keep_their_order(tmp_path):
    from safetensors.torch import save_file

    generator = trained(GENERATORS["dcgan"])
    save_file(generator.state_dict(), tmp_path / "G.safetensors")
    flags = ["--torch", str(tmp_path / "G.safetensors"), "--as", "dcgan"]
    assert import_.main([*flags, "--out", str(tmp_path / "in")]) == 0


class Nasty:
    def __reduce__(self):
        return exec, ("open('executed', 'w')",)


def test_what_is_no_such_generator_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def refused(words, name="dcgan", *flags):
        with pytest.raises(JaxgenError, match=words):
            import_.main(["--torch", "F", "--as", name, "--out", "o", *flags])
        assert not (tmp_path / "o").exists()

    refused("F cannot be read .it is missing.")
    (tmp_path / "F").write_bytes(pickle.dumps(Nasty()))
    refused("F ")
    torch.save(Nasty(), "F")
    refused("nothing was executed")
    assert not (tmp_path / "executed").exists()
    torch.save(vanilla(), "F")
    refused("nothing was executed", "vanilla_gan")
    torch.save(vanilla().state_dict(), "F")
    refused("the file has the modules dense, dense, dense, and this generator has")
    refused("this generator has", "conditional_gan")
    refused("--vocabulary is of captioners", "vanilla_gan", "--vocabulary", "v.json")
    torch.save({"epoch": 3, "state": vanilla().state_dict()}, "F")
    refused("F has 'epoch', which is no tensor", "vanilla_gan")
    state = vanilla().state_dict()
    torch.save(state | {"0.weight": torch.zeros(1).expand(2**30, 11)}, "F")
    refused("describes more numbers than it has bytes", "vanilla_gan")
    torch.save(state | {"0.bias": torch.full((12,), torch.nan)}, "F")
    refused("tensor 0.bias has a value that is not finite", "vanilla_gan")
    torch.save(state | {"2.weight": torch.zeros(9, 13)}, "F")
    refused(r"layer 1 with weights should be a dense with weight \(9, 12\)", "vanilla_gan")
    torch.save(state | {"4.weight": torch.zeros(783, 9), "4.bias": torch.zeros(783)}, "F")
    refused("no square grey image", "vanilla_gan")
    torch.save(state, "F")
    refused("no name of a licence", "vanilla_gan", "--license", "MIT!")
