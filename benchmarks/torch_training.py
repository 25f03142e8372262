"""Trains the PyTorch twin of a GAN experiment, from loading the data on: the peer of a command.

    python -m benchmarks.torch_training dcgan --steps 400 --log-every 50

Prints a line with both losses every so many steps, as the experiments do.
"""

import argparse
import os
from dataclasses import replace

from benchmarks.gan_steps import EXPERIMENTS, experiment
from jaxgen.data.images.base import load_images


def main() -> None:
    """Train, and tell of the steps."""
    import torch

    from benchmarks import torch_gans

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.torch_training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--log-every", type=int, default=50)
    args = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    config = replace(experiment(args.experiment), steps=args.steps)
    real = load_images(config.data)
    losses = torch_gans.train(torch_gans.twin(config), real["image"], real["label"])
    for step, (d_loss, g_loss) in enumerate(losses, 1):
        if step % args.log_every == 0 or step == args.steps:
            print(f"step {step}/{args.steps}  d_loss {d_loss:.4g} g_loss {g_loss:.4g}", flush=True)


if __name__ == "__main__":
    main()
