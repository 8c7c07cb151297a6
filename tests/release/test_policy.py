from __future__ import annotations

import msgspec
import pytest

from treadle.kernel.errors import InvalidInput
from treadle.release.policy import Policy, ReleaseRules, parse_policy, read_policy

TEXT = """
endpoint = "late"
model = "late"
[gates]
beats_baseline = "log_loss"
maximum = { log_loss = 0.7 }
[release]
looks = [7, 14]
"""


def test_a_policy_reads_its_rules_and_keeps_defaults_for_the_rest():
    policy = parse_policy(TEXT)

    assert policy.release.looks == (7, 14)
    assert policy.gates.maximum == {"log_loss": 0.7}
    assert policy.monitor == Policy(endpoint="late", model="late").monitor


def test_equal_rules_have_one_digest_and_a_change_has_another():
    again = parse_policy("# a comment\n" + TEXT)
    other = msgspec.structs.replace(again, model="other")

    assert parse_policy(TEXT).digest == again.digest != other.digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("endpoint = ", "not valid TOML"),
        ('endpoint = "late"', "model"),
        (TEXT + "shadow_label = 3\n", "Did you mean 'shadow_labels'?"),
        (TEXT + 'shadow_labels = "many"\n', "shadow_labels"),
        (TEXT + "canary_share = 1.5\n", "below 1"),
        (TEXT.replace("[7, 14]", "[14, 7]"), "ascend"),
        (TEXT.replace("[7, 14]", "[]"), "ascend"),
        (TEXT.replace("[7, 14]", "[7, 7]"), "ascend"),
        (TEXT.replace("[7, 14]", "[4, 14]"), "Fewer than 5 days"),
        (TEXT + '[contract]\nroles = { y = "targets" }\n', "roles"),
        (TEXT + "[monitor]\ncalibration_band = 0.9\n", "above 1"),
    ],
)
def test_a_wrong_policy_says_what_is_wrong_and_where(text, expected):
    with pytest.raises(InvalidInput, match="policy") as caught:
        parse_policy(text)

    assert expected in str(caught.value)


def test_a_missing_file_names_the_near_miss(tmp_path):
    (tmp_path / "policy.toml").write_text(TEXT, encoding="utf-8")

    with pytest.raises(InvalidInput, match=r"Did you mean policy.toml"):
        read_policy(tmp_path / "polcy.toml")


@pytest.mark.parametrize(
    ("looks", "level"), [((14,), 0.95), ((14, 28), 0.975), ((5, 6, 7, 8), 0.9875)]
)
def test_the_looks_share_the_error_evenly(looks, level):
    rules = ReleaseRules(level=0.95, looks=looks)

    assert rules.look_level == pytest.approx(level)
