import dataclasses
import itertools

import numpy as np
import pytest
import scipy.linalg

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples import figures as samples
from jaxgen.metrics.samples import report as sample_report

NORMAL = np.random.default_rng(0).normal(size=(600, 8))
OTHER = np.random.default_rng(1).normal(size=(500, 8)) @ np.diag(np.linspace(0.2, 3, 8)) + 0.5


@dataclasses.dataclass(frozen=True)
class FirstPixels:
    """In place of the CNN: the first 6 pixels are the features, the first 3 the logits."""

    name: str = "pixels"

    def features_and_logits(self, images):
        flat = np.asarray(images).reshape(len(images), -1)
        return flat[:, :6], flat[:, :3]


def images(n, seed, scale=0.3):
    return np.random.default_rng(seed).normal(scale=scale, size=(n, 28, 28, 1)).clip(-1, 1)


def with_moments(mean, covariance, n=200):
    """Rows whose sample mean and unbiased covariance are exactly those given."""
    x = np.random.default_rng(2).normal(size=(n, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_fid_of_a_set_against_itself_is_zero():
    for x in (NORMAL, OTHER, 1e4 * OTHER):
        assert samples.frechet_distance(x, x) <= 1e-12 * np.trace(np.cov(x, rowvar=False))


def test_fid_of_diagonal_gaussians_is_the_sum_over_axes():
    # Diagonal covariances commute: sum of (m1 - m2)² + (s1 - s2)², by hand 1 + 4 + 1 + 0 = 6.
    real = with_moments(np.array([0.0, 1.0]), np.diag([4.0, 9.0]))
    fake = with_moments(np.array([1.0, -1.0]), np.diag([9.0, 9.0]))
    np.testing.assert_allclose(samples.frechet_distance(real, fake), 6.0, rtol=1e-12)


def test_fid_agrees_with_eigenvalues_of_the_unsymmetric_product():
    real, fake = np.cov(NORMAL, rowvar=False), np.cov(OTHER, rowvar=False)
    root_trace = np.sqrt(np.linalg.eigvals(real @ fake)).real.sum()
    shift = NORMAL.mean(0) - OTHER.mean(0)
    expected = shift @ shift + np.trace(real) + np.trace(fake) - 2 * root_trace
    np.testing.assert_allclose(samples.frechet_distance(NORMAL, OTHER), expected, rtol=1e-12)
    np.testing.assert_allclose(root_trace, np.trace(scipy.linalg.sqrtm(real @ fake)).real)


@pytest.mark.parametrize("n", [2, 5, 40])
def test_fid_survives_rank_deficient_covariances(n):
    wide = np.random.default_rng(3).normal(size=(2 * n, 64))
    wide[:, 10:30] = 0.0  # dead features
    real, fake = wide[:n], wide[n:]
    assert samples.frechet_distance(real, real) <= 1e-6
    # Independent: the trace of the root is the nuclear norm of the product of centred data.
    a, b = real - real.mean(0), fake - fake.mean(0)
    root_trace = np.linalg.svd(a @ b.T, compute_uv=False).sum() / (n - 1)
    shift = real.mean(0) - fake.mean(0)
    expected = shift @ shift + ((a**2).sum() + (b**2).sum()) / (n - 1) - 2 * root_trace
    np.testing.assert_allclose(samples.frechet_distance(real, fake), expected, rtol=1e-9)


def test_fid_of_constant_sets_is_the_squared_shift():
    real, fake = np.zeros((3, 4)), np.full((5, 4), 2.0)
    assert samples.frechet_distance(real, fake) == 16.0


def test_mmd_agrees_with_a_double_loop():
    a, b = NORMAL[:7], OTHER[:5]

    def kernel(x, y):
        return (sum(p * q for p, q in zip(x, y, strict=True)) / 8 + 1) ** 3

    def distinct(z):
        n = len(z)
        pairs = [kernel(z[i], z[j]) for i in range(n) for j in range(n) if i != j]
        return sum(pairs) / (n * (n - 1))

    cross = sum(kernel(x, y) for x in a for y in b) / (len(a) * len(b))
    expected = distinct(a) + distinct(b) - 2 * cross
    np.testing.assert_allclose(samples.polynomial_mmd(a, b), expected, rtol=1e-12)


def test_mmd_is_unbiased_over_all_splits():
    # Over every split of 6 points in 3 and 3 the estimate averages to 0 exactly; the biased one,
    # with the diagonal, cannot: it is never negative.
    points = NORMAL[:6]
    estimates = []
    for chosen in itertools.combinations(range(6), 3):
        rest = [i for i in range(6) if i not in chosen]
        estimates.append(samples.polynomial_mmd(points[list(chosen)], points[rest]))
    assert min(estimates) < 0 < max(estimates)
    np.testing.assert_allclose(np.mean(estimates), 0, atol=1e-12)


def test_kid_is_the_mean_over_subsets_and_follows_the_seed():
    mean, std = samples.kernel_distance(NORMAL, OTHER, subsets=200, subset_size=100)
    np.testing.assert_allclose(mean, samples.polynomial_mmd(NORMAL, OTHER), atol=3 * std / 200**0.5)
    assert std > 0
    again = samples.kernel_distance(NORMAL, OTHER, subsets=200, subset_size=100)
    other = samples.kernel_distance(NORMAL, OTHER, subsets=200, subset_size=100, seed=1)
    assert (mean, std) == again != other


def test_precision_and_recall_of_sets_with_known_answers():
    line = np.arange(10.0)[:, None]  # radii: 3 at the ends, 2 next to them and inside
    assert samples.precision_recall(line, line) == (1.0, 1.0)
    assert samples.precision_recall(line, line + 100) == (0.0, 0.0)
    # k = 1: each ball reaches 1 to both sides. The fakes at 0.5 and 3.5 lie within, 11.5 and 50
    # do not; their own balls reach 3, 3, 8 and 38.5: all of 0 to 9, and -2.5 to 6.5, are covered.
    fake = np.array([0.5, 3.5, 11.5, 50.0])[:, None]
    assert samples.precision_recall(line, fake, neighbours=1) == (0.5, 1.0)
    assert samples.precision_recall(fake, line, neighbours=1) == (1.0, 0.5)


def test_collapsed_samples_have_precision_but_no_recall():
    fake = np.repeat(NORMAL[:1], 300, axis=0)
    precision, recall = samples.precision_recall(NORMAL, fake)
    assert precision == 1.0
    assert recall == 1 / len(NORMAL)  # the copied image itself, at distance 0 of its copies


def test_precision_does_not_depend_on_the_block_size(monkeypatch):
    whole = samples.precision_recall(NORMAL, OTHER)
    monkeypatch.setattr(samples, "_BLOCK", 7)
    assert samples.precision_recall(NORMAL, OTHER) == whole


def test_classifier_score_runs_from_one_to_the_number_of_classes():
    sure = 1000.0 * np.eye(10)
    np.testing.assert_allclose(samples.classifier_score(sure), 10.0)
    np.testing.assert_allclose(samples.classifier_score(np.zeros((5, 10))), 1.0)
    np.testing.assert_allclose(samples.classifier_score(sure[:1].repeat(5, 0)), 1.0)
    np.testing.assert_allclose(samples.classifier_score(sure[[0, 0, 3, 3]]), 2.0)


def test_class_figures():
    logits = np.eye(4)
    np.testing.assert_array_equal(samples.class_shares(logits[[0, 0, 2, 3]]), [0.5, 0, 0.25, 0.25])
    assert samples.class_imbalance(logits, logits[::-1]) == 0
    assert samples.class_imbalance(logits[:2], logits[2:]) == 1
    assert samples.class_imbalance(logits, logits[[0, 0, 2, 3]]) == 0.25
    assert samples.label_agreement(logits, np.array([0, 1, 0, 3])) == 0.75
    with pytest.raises(JaxgenError, match=r"labels of shape \(3,\) for 4 images"):
        samples.label_agreement(logits, np.zeros(3))


def test_diversity_is_the_ratio_of_root_mean_square_pairwise_distances():
    real, fake = images(6, 0), images(5, 1, scale=0.1)

    def distance(x):
        pairs = [((a - b) ** 2).sum() for i, a in enumerate(x) for b in x[:i]]
        return np.sqrt(np.mean(pairs))

    np.testing.assert_allclose(samples.diversity(fake, real), distance(fake) / distance(real))
    assert samples.diversity(real[:1].repeat(4, 0), real) < 1e-12
    with pytest.raises(JaxgenError, match="all real images are equal"):
        samples.diversity(real, np.zeros((4, 28, 28, 1)))


@pytest.mark.parametrize(
    "measure",
    [samples.frechet_distance, samples.kernel_distance, samples.precision_recall],
)
def test_features_that_cannot_be_measured_are_refused(measure):
    with pytest.raises(JaxgenError, match="1 real images are too few"):
        measure(NORMAL[:1], OTHER)
    with pytest.raises(JaxgenError, match="1 generated images are too few"):
        measure(NORMAL, OTHER[:1])
    with pytest.raises(JaxgenError, match="8 wide and generated ones 5"):
        measure(NORMAL, OTHER[:, :5])
    broken = OTHER.copy()
    broken[17, 3] = np.nan
    with pytest.raises(JaxgenError, match="generated features of image 17 are not finite"):
        measure(NORMAL, broken)
    with pytest.raises(JaxgenError, match=r"real features have shape \(600,\)"):
        measure(NORMAL[:, 0], OTHER)


def test_report_of_samples_as_good_as_data_is_at_its_floor():
    result = sample_report.report(images(800, 0), images(400, 1), FirstPixels())
    assert result["images"] == {"real": 800, "fake": 400, "matched": 400}
    assert abs(result["fid"]["matched"] - result["fid"]["floor"]) < 0.01
    assert result["fid"]["floor"] < 0.02
    assert abs(result["kid"]["value"]) < 3 * result["kid_std"]["value"]
    assert result["precision"]["matched"] > 0.9 < result["recall"]["matched"]
    assert abs(result["diversity"]["matched"] - 1) < 0.01
    assert "label_agreement" not in result


def test_report_of_worse_samples_is_far_from_the_floor():
    result = sample_report.report(images(200, 0), images(200, 1, scale=0.05), FirstPixels())
    assert result["fid"]["matched"] > 10 * result["fid"]["floor"]
    assert result["recall"]["matched"] < 0.3 < result["recall"]["floor"]
    assert result["diversity"]["value"] < 0.25


def test_report_repeats_with_its_seed_and_shuffles_sorted_data():
    real, fake = images(60, 0), images(20, 1)
    real = real[np.argsort(real[:, 0, 0, 0])]
    first = sample_report.report(real, fake, FirstPixels(), seed=5)
    assert first == sample_report.report(real, fake, FirstPixels(), seed=5)
    assert first["fid"]["floor"] != sample_report.report(real, fake, FirstPixels())["fid"]["floor"]
    halves = samples.frechet_distance(*real.reshape(2, 30, -1)[..., :6])
    assert first["fid"]["floor"] < halves


def test_report_with_labels_and_its_table():
    real, fake = images(40, 0), images(20, 1)
    labels = fake.reshape(20, -1)[:, :3].argmax(1)
    labels[:5] = (labels[:5] + 1) % 3
    result = sample_report.report(real, fake, FirstPixels(), labels)
    assert result["label_agreement"]["value"] == 0.75
    assert result["label_agreement"]["floor"] is None
    text = sample_report.table(result)
    assert "label agreement        0.750      0.750         -" in text
    assert "20 samples against 40 real images, classifier 'pixels'" in text

    true_labels = real.reshape(40, -1)[:, :3].argmax(1)
    result = sample_report.report(real, fake, FirstPixels(), labels, real_labels=true_labels)
    assert result["label_agreement"]["floor"] == 1.0


def test_report_refuses_too_few_images():
    with pytest.raises(JaxgenError, match="7 real and 20 generated images are too few"):
        sample_report.report(images(7, 0), images(20, 1), FirstPixels())
