"""The stages of residual networks: a generator doubles its image from one to the next.

A discriminator goes through the same sides the other way.
"""

from collections.abc import Sequence

from jaxgen.errors import JaxgenError

_LEAST, _MOST = 4, 16  # of the smallest stage: less is no image, more are too many weights


def sides(image_shape: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Height and width of each stage, the smallest first.

    An image is halved as long as its sides are even and no half is under 4: 28x28 begins at 7x7;
    32x32, 64x64 and 128x128 at 4x4.

    Raises:
        JaxgenError: the sides cannot be halved, or not often enough.
    """
    height, width, _ = image_shape
    found = [(height, width)]
    while not (height | width) & 1 and min(height, width) >= 2 * _LEAST:
        height, width = height // 2, width // 2
        found.insert(0, (height, width))
    if len(found) == 1 or max(found[0]) > _MOST:
        raise JaxgenError(
            f"residual networks halve images until 4 to {_MOST} pixels of a side are left, which "
            f"is not possible with {image_shape[0]}x{image_shape[1]}; take sides of 28, 32, 64 or "
            "128 pixels"
        )
    return found


def widths(channels: Sequence[int], stages: int) -> list[int]:
    """Channels of each stage, the smallest image first.

    Args:
        channels: of the largest images, the last for the largest; smaller images than these have
            the first one.
        stages: how many there are.
    """
    return [channels[0]] * max(0, stages - len(channels)) + list(channels[-stages:])
