"""What a step of self-critical training is made of: the draw, the reward and the gradient.

    python -m benchmarks.self_critical runs/caption_transformer
    python -m benchmarks.self_critical runs/caption_lstm --rewards cider --samples 10

The run is a trained captioner, since how long captions are decides what they cost. Each part is a
program of its own here, in turns with the others, and the figure is its median; in training they
are one program. Takes half a minute on 2 CPU cores.
"""

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxgen
from benchmarks.measuring import Contender, timed
from jaxgen import settings
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.objectives import policy
from jaxgen.captioning.objectives.base import Setup
from jaxgen.captioning.objectives.self_critical import policy_loss
from jaxgen.captioning.rewards.base import Reward
from jaxgen.commands.guard import run_guarded
from jaxgen.data.captions.base import load_captions
from jaxgen.errors import JaxgenError


def parts(run: str, rewards: list[str], samples: int, batch: int) -> dict[str, Callable[[], Any]]:
    """Each part of a step as a compiled program, ready to be called.

    Raises:
        JaxgenError: the run is not of a captioner, or its data have not what a reward needs.
    """
    model = jaxgen.load(run)
    config = model.config
    if not isinstance(config, CaptionConfig):
        raise JaxgenError(f"{run} is no run of a captioner")
    data = load_captions(config.data)
    about = AboutCaptions(data.vocabulary.words, tuple(data.train.features.shape[1:]), batch)
    writer = config.writer(about)
    setup = Setup(writer.module, writer.special, config.loss, config.max_length)
    longest = data.train.captions["captions"].shape[1] - 1
    images = np.arange(batch)
    features = jnp.asarray(data.train.features.gather(images))
    params = jax.tree.map(jnp.asarray, model.params)

    def drawn(params: Any, key: jax.Array) -> jax.Array:
        return policy.draw(writer.module, params, features, writer.special, longest, key, samples)

    draw = jax.jit(drawn)
    words_NKL = draw(params, jax.random.key(0))
    print(f"{float((words_NKL != writer.special.null).sum(axis=2).mean()):.1f} words a caption")
    found: dict[str, Callable[[], Any]] = {"draw": lambda: draw(params, jax.random.key(1))}
    known = settings.subclasses(Reward)
    for name in rewards:
        if name not in known:
            raise JaxgenError(f"--rewards {name}: there are {', '.join(known)}")
        scorer = known[name]().scorer(data, True)
        rows, shared = jax.tree.map(
            jnp.asarray, (jax.tree.map(lambda x: x[:batch], scorer.of_images), scorer.shared)
        )
        score = jax.jit(scorer.score)
        found[f"reward {name}"] = lambda s=score, a=shared, r=rows: s(a, r, words_NKL)
    ones_NK = jnp.ones((batch, samples))
    gradient = jax.jit(jax.grad(lambda p: policy_loss(setup, p, features, words_NKL, ones_NK)[0]))
    return found | {"gradient": lambda: gradient(params)}


def main() -> int:
    """Measure as the command line says."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.self_critical",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("run", help="a trained captioner")
    flags.add_argument("--rewards", nargs="+", default=["cider", "truth"])
    flags.add_argument("--samples", type=int, default=5, help="captions of an image (5)")
    flags.add_argument("--batch", type=int, default=64, help="images of a step (64)")
    flags.add_argument("--repeats", type=int, default=15, help="rounds (15)")
    args = flags.parse_args()
    for name in ("samples", "batch", "repeats"):
        if getattr(args, name) < 1:
            raise JaxgenError(f"--{name} must be at least 1, got {getattr(args, name)}")

    def contender(name: str, part: Callable[[], Any]) -> Contender:
        def run(count: int) -> None:
            for _ in range(count):
                jax.block_until_ready(part())

        return Contender(name, run)

    programs = parts(args.run, args.rewards, args.samples, args.batch)
    contenders = [contender(name, part) for name, part in programs.items()]
    for one in contenders:
        one.run(1)
    columns: dict[str, list[float]] = {one.name: [] for one in contenders}
    for _ in range(args.repeats):
        for one in contenders:
            columns[one.name].append(1e3 * timed(one, 1))
    for name, column in columns.items():
        shares = [value / other for value, other in zip(column, columns["gradient"], strict=True)]
        print(
            f"{name:16}{statistics.median(column):9.1f} ms{statistics.median(shares):8.2f} of the "
            "gradient"
        )
    return 0


if __name__ == "__main__":
    run_guarded(main)
