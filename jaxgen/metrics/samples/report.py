"""All figures of a set of samples, each beside its floor, real images against other real images.

A figure means little without the value that perfect samples would get. Which figures there are is
what `SampleMetric.ordered` finds: those of this package, and those of the user's own.

Legend: M real and N fake images.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.base import Looking, Measured, SampleMetric
from jaxgen.metrics.samples.classes import checked_labels, class_shares

_COLUMNS = ("value", "matched", "floor")
_MOST_SHARES = 100  # classes whose shares fit into a line


def report(
    real_images: np.ndarray,
    fake_images: np.ndarray,
    classifier: Looking,
    labels: np.ndarray | None = None,
    seed: int = 0,
    *,
    real_labels: np.ndarray | None = None,
) -> dict[str, Any]:
    """Every figure of the samples, each beside its floor.

    Each figure comes three times: `value` uses all images given; `floor` compares two random
    disjoint halves of the real images; `matched` compares the first half with as many fakes.
    FID, precision and recall depend on the number of images, so it is `matched` that may be held
    against `floor`, and `value` against other reports of equally many images.

    Args:
        real_images: (M, 28, 28) or (M, 28, 28, 1) in [-1, 1], M >= 8.
        fake_images: the same for N >= 4 samples.
        classifier: the one for this data.
        labels: (N,) the classes asked for, of a conditional model.
        seed: of the halves and of KID's subsets.
        real_labels: (M,) true classes, for the floor of label agreement: the classifier's own
            accuracy on the half of real images.

    Returns:
        JSON-ready: {key: {"value", "matched", "floor"}} of every `SampleMetric` that has a figure,
        None where one column has none; also "images": {"real", "fake", "matched"}, the class
        shares "classes": {"real", "fake"}, and "classifier", its name.

    Raises:
        JaxgenError: too few images, wrong shapes or ranges, values that are not finite, or a metric
            of the user's own that fails or has the key of another.
    """
    metrics = SampleMetric.ordered()
    real, fake = _measured(real_images, fake_images, classifier, labels, seed, real_labels)
    columns, images = figures(metrics, real, fake, seed)
    return columns | {
        "images": images,
        "classes": {
            name: [round(float(share), 6) for share in class_shares(images.logits)]
            for name, images in (("real", real), ("fake", fake))
        },
        "classifier": classifier.name,
    }


def figures(
    metrics: Sequence[SampleMetric], real: Measured, fake: Measured, seed: int
) -> tuple[dict[str, dict[str, float | None]], dict[str, int]]:
    """The figures of `report` of two sets that a network has seen.

    Args:
        metrics: what is measured.
        real: at least 8 real images.
        fake: at least 4 samples.
        seed: of the halves.

    Returns:
        {key: {"value", "matched", "floor"}} of each metric that has a figure, and how many images
        there are: {"real", "fake", "matched"}.
    """
    n_real, n_fake = len(real.logits), len(fake.logits)
    size = min(n_real // 2, n_fake)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_real)
    half, other_half = real.rows(order[:size]), real.rows(order[size : 2 * size])
    pairs = {
        "value": (real, fake),
        "matched": (half, fake.rows(rng.permutation(n_fake)[:size])),
        "floor": (half, other_half),
    }
    found = {
        metric.key: {column: metric.figure(*pair) for column, pair in pairs.items()}
        for metric in metrics
    }
    found = {key: columns for key, columns in found.items() if columns["value"] is not None}
    return found, {"real": n_real, "fake": n_fake, "matched": size}


def while_training(
    real_images: np.ndarray | None,
    fake_images: np.ndarray,
    classifier: Looking,
    labels: np.ndarray | None = None,
    seed: int = 0,
    *,
    real_labels: np.ndarray | None = None,
) -> dict[str, float]:
    """The figures that a run measures as it trains: `value` of `report`, and nothing else.

    Args:
        real_images, fake_images, classifier, labels, seed, real_labels: as for `report`; without
            real images only what is `of_samples_alone` is measured.

    Returns:
        {key: figure} of every `SampleMetric` with `while_training` that has one.

    Raises:
        JaxgenError: as `report`.
    """
    metrics = [metric for metric in SampleMetric.ordered() if metric.while_training]
    if real_images is None:
        metrics = [metric for metric in metrics if metric.of_samples_alone]
        real = fake = _seen(fake_images, classifier, labels, seed)
    else:
        real, fake = _measured(real_images, fake_images, classifier, labels, seed, real_labels)
    figures = {metric.key: metric.figure(real, fake) for metric in metrics}
    return {key: figure for key, figure in figures.items() if figure is not None}


def alarms(figures: Mapping[str, float]) -> list[str]:
    """What is wrong with samples, in the words of the metrics.

    Args:
        figures: the newest of each metric, by its key; other keys are passed over.

    Returns:
        The sentence of each metric whose figure is under its `alarm_below`.
    """
    return [
        metric.alarm
        for metric in SampleMetric.ordered()
        if metric.alarm_below is not None
        and metric.key in figures
        and figures[metric.key] < metric.alarm_below
    ]


def table(report: Mapping[str, Any]) -> str:
    """The result of `report` as text, one figure a line; it may come from an older run's JSON."""
    images = report["images"]
    lines = [
        f"{images['fake']} samples{_cut(report)} against {images['real']} real images, classifier "
        f"'{report['classifier']}'; same size and floor: {images['matched']} against "
        f"{images['matched']}, floor = real against real",
        "",
        f"{'figure':<18}{'samples':>10}{'same size':>11}{'floor':>10}",
    ]
    metrics = SampleMetric.ordered()
    for metric in metrics:
        if metric.title is not None and metric.key in report:
            row = row_of(metric.title, report[metric.key], metric.scale)
            lines.append(f"{row}  {metric.better} is better")
    known = {metric.key for metric in metrics}.union(SampleMetric.taken)
    # Figures of metrics that were the user's own, whose file is not imported now.
    lines += [
        row_of(key, columns)
        for key, columns in report.items()
        if key not in known and isinstance(columns, Mapping) and "value" in columns
    ]
    for name, of_classes in report["classes"].items():
        shares = " ".join(f"{100 * share:.1f}" for share in of_classes)
        if len(of_classes) > _MOST_SHARES:
            shares = f"{100 * min(of_classes):.3f} to {100 * max(of_classes):.3f}"
        lines.append(f"classes of {name}, %: {shares}")
    return "\n".join(lines)


def _cut(report: Mapping[str, Any]) -> str:
    bound = report.get("truncation")
    return "" if bound is None else f" of noise truncated at {bound:g}"


def row_of(
    title: str, columns: Mapping[str, float | None], scale: float = 1, width: int = 18
) -> str:
    """A line of the table: a figure's title in so many characters, and its columns."""
    figures = [columns.get(column) for column in _COLUMNS]
    samples, matched, floor = ("-" if x is None else f"{x * scale:.3f}" for x in figures)
    return f"{title:<{width}}{samples:>10}{matched:>11}{floor:>10}"


def _measured(
    real_images: np.ndarray,
    fake_images: np.ndarray,
    classifier: Looking,
    labels: np.ndarray | None,
    seed: int,
    real_labels: np.ndarray | None,
) -> tuple[Measured, Measured]:
    """Both sets with what the classifier says of them."""
    real = _seen(real_images, classifier, real_labels, seed)
    fake = _seen(fake_images, classifier, labels, seed)
    n_real, n_fake = len(real.logits), len(fake.logits)
    if min(n_real // 2, n_fake) < 4:
        raise JaxgenError(
            f"{n_real} real and {n_fake} generated images are too few to measure: give at least "
            "8 and 4"
        )
    return real, fake


def _seen(
    images: np.ndarray, classifier: Looking, labels: np.ndarray | None, seed: int
) -> Measured:
    features_NF, logits_NK = classifier.features_and_logits(images)
    labels_N = None if labels is None else checked_labels(labels, len(logits_NK))
    return Measured(np.asarray(images), features_NF, logits_NK, labels_N, seed)
