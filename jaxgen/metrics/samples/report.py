"""All figures of a set of samples, each beside its floor, real images against other real images.

A figure means nothing without the value that perfect samples would get.

Legend: N images, K classes, M real and N fake where two sets meet.
"""

from typing import Any

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.classifier import Classifier
from jaxgen.metrics.samples.figures import (
    class_imbalance,
    class_shares,
    classifier_score,
    diversity,
    frechet_distance,
    kernel_distance,
    label_agreement,
    precision_recall,
)

# Name, key in the report, whether more is better; the order of the table.
_FIGURES = (
    ("FID", "fid", "lower is better"),
    ("KID x 1000", "kid", "lower is better"),
    ("precision", "precision", "higher is better"),
    ("recall", "recall", "higher is better"),
    ("classifier score", "classifier_score", "close to the floor column is better"),
    ("class imbalance", "class_imbalance", "lower is better"),
    ("diversity", "diversity", "1 is the data's"),
    ("label agreement", "label_agreement", "higher is better"),
)


def report(
    real_images: np.ndarray,
    fake_images: np.ndarray,
    classifier: Classifier,
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
        JSON-ready: {figure: {"value", "matched", "floor"}}, with figures fid, kid (mean) and
        kid_std, precision, recall, classifier_score, class_imbalance, diversity (of pixels) and,
        with labels, label_agreement; also "images": {"real", "fake", "matched"}, the class shares
        "classes": {"real", "fake"}, and "classifier", its name.

    Raises:
        JaxgenError: too few images, wrong shapes or ranges, values that are not finite.
    """
    real = _measure(real_images, real_labels, classifier)
    fake = _measure(fake_images, labels, classifier)
    n_real, n_fake = len(real["logits"]), len(fake["logits"])
    size = min(n_real // 2, n_fake)
    if size < 4:
        raise JaxgenError(
            f"{n_real} real and {n_fake} generated images are too few to measure: give at least "
            "8 and 4"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_real)
    half, other_half = _rows(real, order[:size]), _rows(real, order[size : 2 * size])
    fewer_fake = _rows(fake, rng.permutation(n_fake)[:size])
    columns = {
        "value": _figures(real, fake, seed),
        "matched": _figures(half, fewer_fake, seed),
        "floor": _figures(half, other_half, seed),
    }
    figures = {
        figure: {column: values.get(figure) for column, values in columns.items()}
        for figure in columns["value"]
    }
    return figures | {
        "images": {"real": n_real, "fake": n_fake, "matched": size},
        "classes": {
            name: [round(float(share), 6) for share in class_shares(images["logits"])]
            for name, images in (("real", real), ("fake", fake))
        },
        "classifier": classifier.name,
    }


def table(report: dict[str, Any]) -> str:
    """The result of `report` as text, one figure a line."""
    images = report["images"]
    lines = [
        f"{images['fake']} samples against {images['real']} real images, classifier "
        f"'{report['classifier']}'; same size and floor: {images['matched']} against "
        f"{images['matched']}, floor = real against real",
        "",
        f"{'figure':<18}{'samples':>10}{'same size':>11}{'floor':>10}",
    ]
    for title, key, direction in _FIGURES:
        if key not in report:
            continue
        scale = 1000 if key == "kid" else 1
        cells = [report[key][column] for column in ("value", "matched", "floor")]
        samples, matched, floor = ("-" if x is None else f"{x * scale:.3f}" for x in cells)
        lines.append(f"{title:<18}{samples:>10}{matched:>11}{floor:>10}  {direction}")
    for name in ("real", "fake"):
        shares = " ".join(f"{100 * share:.1f}" for share in report["classes"][name])
        lines.append(f"classes of {name}, %: {shares}")
    return "\n".join(lines)


def _measure(images, labels, classifier):
    """Images with what the classifier says of them, as arrays with one leading axis."""
    features_NF, logits_NK = classifier.features_and_logits(images)
    measured = {"images": np.asarray(images), "features": features_NF, "logits": logits_NK}
    return measured if labels is None else measured | {"labels": np.asarray(labels)}


def _rows(measured, rows):
    return {name: array[rows] for name, array in measured.items()}


def _figures(real, fake, seed):
    precision, recall = precision_recall(real["features"], fake["features"])
    kid, kid_std = kernel_distance(real["features"], fake["features"], seed=seed)
    figures = {
        "fid": frechet_distance(real["features"], fake["features"]),
        "kid": kid,
        "kid_std": kid_std,
        "precision": precision,
        "recall": recall,
        "classifier_score": classifier_score(fake["logits"]),
        "class_imbalance": class_imbalance(real["logits"], fake["logits"]),
        "diversity": diversity(fake["images"], real["images"]),
    }
    if "labels" in fake:
        figures["label_agreement"] = label_agreement(fake["logits"], fake["labels"])
    return figures
