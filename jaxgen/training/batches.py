"""Batches as a function of (seed, step) alone: a resumed run sees what an unbroken one saw."""

import functools

import numpy as np

from jaxgen.errors import JaxgenError


def epoch_indices(size: int, batch_size: int, seed: int, start: int, stop: int) -> np.ndarray:
    """Indices of the examples in the batches of steps `start` to `stop`.

    Every epoch is a fresh permutation of the examples, cut into batches; an incomplete last batch
    is skipped.

    Args:
      size: number of examples.
      batch_size: examples per batch.
      seed: of the permutations, not negative.
      start: first step, not negative.
      stop: step after the last, at least `start`.

    Returns:
      int32 (stop - start, batch_size), each in [0, size).

    Raises:
      JaxgenError: the batch size is not in [1, size], or the seed is negative.
      ValueError: not `0 <= start <= stop`.
    """
    if batch_size < 1:
        raise JaxgenError(f"batch size {batch_size} is not positive; give at least 1")
    if batch_size > size:
        raise JaxgenError(
            f"batch size {batch_size} is larger than the training set of {size} examples; give at "
            f"most {size}"
        )
    if seed < 0:
        raise JaxgenError(f"seed {seed} is negative; give 0 or more")
    if not 0 <= start <= stop:
        raise ValueError(f"steps {start} to {stop} are not a range of steps")
    batches_per_epoch = size // batch_size
    indices = np.empty((stop - start, batch_size), np.int32)
    for row, step in enumerate(range(start, stop)):
        epoch, batch = divmod(step, batches_per_epoch)
        first = batch * batch_size
        indices[row] = _permutation(size, seed, epoch)[first : first + batch_size]
    return indices


@functools.lru_cache(maxsize=2)  # consecutive calls go on in the epoch where the last one ended
def _permutation(size: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(size)
