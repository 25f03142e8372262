"""The groups of collectives in each of the forms that XLA writes."""

import pytest

from benchmarks.device_groups import device_groups


@pytest.mark.parametrize(
    ("written", "groups"),
    [
        ("replica_groups={{0,1},{2,3}}", [{0, 1}, {2, 3}]),
        ("replica_groups={}", [{0, 1, 2, 3}]),
        ("replica_groups={{0},{1},{2},{3}}", []),
        ("replica_groups=[2,2]<=[4]", [{0, 1}, {2, 3}]),
        ("replica_groups=[2,2]<=[2,2]T(1,0)", [{0, 2}, {1, 3}]),
        ("replica_groups=mesh['x'=2,'y'=2,'z'=1] {'y'}", [{0, 1}, {2, 3}]),
        ("replica_groups=mesh['x'=2,'y'=2,'z'=1] {'x'}", [{0, 2}, {1, 3}]),
        ("source_target_pairs={{0,1},{2,3}}", [{0, 1}, {2, 3}]),
    ],
)
def test_each_form_is_read(written, groups):
    line = f"  %a.1 = f32[2]{{0}} all-reduce(%b), channel_id=1, {written}, to_apply=%add"
    text = f"  %c = f32[2]{{0}} add(%d, %e)\n{line}\n"
    assert device_groups(text, 4) == {frozenset(group) for group in groups}


def test_what_cannot_be_read_is_not_passed_over():
    with pytest.raises(ValueError, match="cannot tell"):
        device_groups("  %a = f32[] all-gather(%b), replica_groups=other", 4)
