"""The short form of the fault suite: a few trials of each campaign, always the same ones."""

import pytest

from tests.faults.__main__ import CAMPAIGNS, attempt
from tests.faults.campaign import CannotRun

pytestmark = [pytest.mark.early, pytest.mark.long]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("faults")


@pytest.mark.parametrize("campaign", [c for c in CAMPAIGNS if c.short], ids=lambda c: c.name)
def test_no_fault_has_an_outcome_that_is_not_allowed(campaign, folder):
    shared = folder / campaign.name
    shared.mkdir()
    try:
        campaign.prepare(shared)
    except CannotRun as reason:
        pytest.skip(str(reason))
    for number in range(campaign.short):
        failure = attempt(campaign, 0, number, folder).failure
        assert not failure, f"python -m tests.faults {campaign.name} --only {number}: {failure}"
