"""Sets of features that metrics of samples are tried on."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def normal():
    """600 points in 8 dimensions."""
    return np.random.default_rng(0).normal(size=(600, 8))


@pytest.fixture(scope="session")
def other():
    """500 points of another distribution."""
    spread = np.diag(np.linspace(0.2, 3, 8))
    return np.random.default_rng(1).normal(size=(500, 8)) @ spread + 0.5
