"""How fast a method is: seconds per megapixel, and frames per second as in paper C."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Time spent on images; timings add up.

    Whoever measures leaves out reading, decoding and the first, warming call: paper C's FPS is "the number
    of images segmented per second", at 512 x 512.

    Attributes
    ----------
    seconds
        Wall-clock time in the method's own call.
    pixels, images
        What was done in it.

    Examples
    --------
    >>> whole = Timing(0.2, 512 * 512, 1) + Timing(0.3, 512 * 512, 1)
    >>> whole.frames_per_second
    4.0
    >>> round(whole.seconds_per_megapixel, 3)
    0.954
    """

    seconds: float = 0.0
    pixels: int = 0
    images: int = 0

    def __add__(self, other: Timing) -> Timing:
        return Timing(self.seconds + other.seconds, self.pixels + other.pixels, self.images + other.images)

    @property
    def seconds_per_megapixel(self) -> float:
        """Seconds per 1,000,000 px; NaN where there was none."""
        return 1e6 * self.seconds / self.pixels if self.pixels else float("nan")

    @property
    def frames_per_second(self) -> float:
        """Images per second; NaN where no time was spent. Means little unless they are of one size."""
        return self.images / self.seconds if self.seconds else float("nan")
