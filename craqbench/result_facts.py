"""What a result says that is not counted: the set, the method, its threshold, and what it ran on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, NonNegativeFloat, NonNegativeInt, PositiveInt

from craqbench.result_counts import Digest, Model, Text

__all__ = [
    "CardInfo",
    "Failure",
    "Hardware",
    "MethodInfo",
    "SetInfo",
    "Speed",
    "Threshold",
    "TunedOn",
]

Share = Annotated[float, Field(ge=0, le=1)]


class SetInfo(Model):
    """What was scored on.

    Attributes
    ----------
    spec
        Name, revision and filters; no paths.
    given
        What was typed after ``--set``.
    digest
        Of all images, annotations, paintings and attributes.
    clean
        Whether these are paintings without cracks.
    """

    spec: Text
    given: Text
    name: Text
    version: Text
    digest: Digest
    classes: Annotated[tuple[Text, ...], Field(min_length=2, max_length=16)]
    licence: Text
    images: PositiveInt
    paintings: PositiveInt
    clean: bool


class CardInfo(Model):
    """Where a method comes from, see `baselines.protocols.Card`."""

    training_data: Text
    licence: Text
    reference: Text
    weights: Digest | None = None


class MethodInfo(Model):
    """What was scored.

    Attributes
    ----------
    label
        What a table calls it: its name, the settings that were given, and how it was tuned.
    given
        What was typed after ``--method``; of files only their names.
    settings
        All settings that the method tells, given or not; without the device. Files are ``NAME#SHA256``.
    source_sha256
        Of the file that defines the method; null where there is none.
    kind
        "sanity" for methods that do not look at the image.
    """

    label: Text
    name: Text
    version: Text
    given: Text
    settings: dict[str, JsonValue]
    card: CardInfo
    source_sha256: Digest | None
    kind: Literal["method", "sanity"]


class TunedOn(Model):
    """The set that a threshold was chosen on, and the F1@2px that it had there."""

    spec: Text
    given: Text
    digest: Digest
    images: PositiveInt
    f1: Share


class Threshold(Model):
    """From which score on a pixel is a crack, and whose choice that was: the method's own, or `tuned_on`."""

    value: Share
    origin: Literal["method", "tuned"]
    tuned_on: TunedOn | None = None


class Failure(Model):
    """An image that the method could not do."""

    image: Text
    reason: Text


class Hardware(Model):
    """What it ran on. No names of machines or people.

    Attributes
    ----------
    device
        What the method says it ran on, such as "cpu" or "cuda"; several if it was gone on with on another.
    accelerator
        The model of that GPU, where torch knows it.
    """

    cpu: Text
    cores: PositiveInt
    memory_gb: PositiveInt | None
    system: Text
    machine: Text
    device: Text
    accelerator: Text | None = None


class Speed(Model):
    """Wall-clock time in the method's own calls.

    Attributes
    ----------
    seconds, pixels, images
        Sums. The first call in each process is left out, unless there is no other.
    seconds_per_megapixel, fps
        null where nothing was timed.
    workers
        How many processes shared the machine: for a figure to quote use one.
    """

    seconds: NonNegativeFloat
    pixels: NonNegativeInt
    images: NonNegativeInt
    seconds_per_megapixel: NonNegativeFloat | None
    fps: NonNegativeFloat | None
    workers: PositiveInt
