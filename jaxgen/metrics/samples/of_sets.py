"""Figures of pictures of any origin: two sets, a network, and the floor of the real ones.

Which network measured stands beside each figure and at the end of its key, so that no figure of one
network is taken for another's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data import picture_files, picture_sets
from jaxgen.data.picture_sets import PictureSet, in_words
from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples import report
from jaxgen.metrics.samples.base import Measured, SampleMetric
from jaxgen.metrics.samples.classes import in_parts
from jaxgen.metrics.samples.networks import ClassifierName, NetworkName, opened
from jaxgen.settings import flag

LEAST_REAL, LEAST = 8, 4
_WIDTH = 40  # of a figure's name in the table
_PARTS = 10  # into which samples are cut for the Inception score
_SCORE = "inception_score"


@dataclass(frozen=True)
class Asked:
    """What is measured, and how."""

    samples: Path
    """A folder of pictures or an .npz file."""
    real: Path
    """The same."""
    features: NetworkName
    weights: Path | None = None
    classifier: ClassifierName = "digits"
    size: int = 0
    """Side to which pictures are cut and scaled; 0 for as they are."""
    batch_size: int = 64
    seed: int = 0


def measured(asked: Asked) -> dict[str, Any]:
    """Every figure of a set of samples beside a real set, and beside its floor.

    Args:
        asked: the sets and the network.

    Returns:
        JSON-ready: {key: {"value", "matched", "floor"}} as `report.report` has them, each key with
        the name of the network at its end (`fid_inception`) but those of the classifiers and of
        pixels; also "samples" and "real", the paths; "network": {"name", "title", "about",
        "sha256"}; "images": {"real", "fake", "matched"}; "size": [height, width]; and "left_out":
        {"samples", "real"}, sentences about pictures that could not be read.

    Raises:
        JaxgenError: a set has too few pictures or of several sizes, the sets differ in size, or a
            file is damaged or holds something else.
        OSError: a file cannot be read.
    """
    metrics = SampleMetric.ordered()
    sets = {
        name: picture_sets.opened(getattr(asked, name), name, asked.size)
        for name in ("real", "samples")
    }
    for name, least in (("real", LEAST_REAL), ("samples", LEAST)):
        _refuse_few(sets[name], name, len(sets[name]), least)
    if sets["real"].size != sets["samples"].size:
        raise JaxgenError(
            f"pictures of {asked.samples} are {in_words(sets['samples'].size)} and those of "
            f"{asked.real} {in_words(sets['real'].size)}: give {flag('size')}, to which all are "
            "cut and scaled, or pictures of one size"
        )
    network = opened(asked.features, asked.weights, asked.classifier)
    seen: dict[str, Measured] = {}
    for name, least in (("real", LEAST_REAL), ("samples", LEAST)):
        seen[name] = network.seen(sets[name], asked.batch_size, asked.seed)
        picture_files.report(sets[name].problems, len(sets[name]))
        _refuse_few(sets[name], name, len(seen[name].features), least)
    real, fake = seen["real"], seen["samples"]
    if real.images is None or fake.images is None:
        metrics = [metric for metric in metrics if not metric.of_pixels]
    figures, images = report.figures(metrics, real, fake, asked.seed)
    found: dict[str, Any] = {
        _key(metric, network.key): figures[metric.key]
        for metric in metrics
        if metric.key in figures
    }
    if network.key == "inception":
        found |= _in_parts(real, fake)
    return found | {
        "samples": str(asked.samples),
        "real": str(asked.real),
        "network": {
            "name": asked.features,
            "title": network.title,
            "about": network.about,
            "sha256": network.sha256,
        },
        "images": images,
        "size": list(sets["real"].size),
        "left_out": {name: its.problems for name, its in sets.items()},
    }


def table(found: Mapping[str, Any]) -> str:
    """The result of `measured` as text, one figure a line."""
    images, network = found["images"], found["network"]
    height, width = found["size"]
    lines = [
        f"{images['fake']} pictures of {found['samples']} against {images['real']} real ones of "
        f"{found['real']}, {width}x{height}",
        f"network: {network['title']} ({network['about']})",
        f"same size and floor: {images['matched']} against {images['matched']}, floor = real "
        "against real",
        "",
        f"{'figure':<{_WIDTH}}{'samples':>10}{'same size':>11}{'floor':>10}",
    ]
    for metric in SampleMetric.ordered():
        key = _key(metric, network["name"])
        if metric.title is not None and key in found:
            title = metric.title if metric.of_pixels else f"{metric.title} ({network['title']})"
            row = report.row_of(title, found[key], metric.scale, _WIDTH)
            lines.append(f"{row}  {metric.better} is better")
    if _SCORE in found:
        row = report.row_of(f"Inception score of {_PARTS} parts", found[_SCORE], 1, _WIDTH)
        lines.append(f"{row}  higher is better")
    return "\n".join(lines)


def _in_parts(real: Measured, fake: Measured) -> dict[str, Any]:
    """The Inception score as papers have it, whose floor is the real pictures' own."""
    scores = {}
    for column, measured in (("value", fake), ("floor", real)):
        order = np.random.default_rng(measured.seed).permutation(len(measured.logits))
        scores[column] = in_parts(measured.logits[order], _PARTS)
    return {
        key: {"value": scores["value"][place], "matched": None, "floor": scores["floor"][place]}
        for place, key in enumerate((_SCORE, f"{_SCORE}_std"))
    }


def _key(metric: SampleMetric, network: str) -> str:
    """Of a metric's figure by a network, which is "" or "classifier" where jaxgen's own looked."""
    is_plain = metric.of_pixels or network in ("", "classifier")
    return metric.key if is_plain else f"{metric.key}_{network}"


def _refuse_few(pictures: PictureSet, name: str, count: int, least: int) -> None:
    if count < least:
        raise JaxgenError(
            f"{flag(name)} {pictures.path} has {count} pictures that can be measured: give at "
            f"least {least}"
        )
