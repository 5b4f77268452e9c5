"""What two equal hosts have in common of their rules, and what of them is nobody's doing."""

from __future__ import annotations

import pytest

from tests.support.fingerprint import rules

RULESET = """\
table inet province {
\tset busy {
\t\ttype ipv4_addr
\t\tsize 65535
\t\tflags dynamic,timeout
\t\telements = { 10.77.0.9 limit rate over 9/second burst 5 packets }
\t}

\tchain input {
\t\ttype filter hook input priority filter; policy drop;
\t\ttcp dport 443 accept
\t}
}
table inet netavark {
\tchain nv_4b21d880_10_89_0_0_nm24_dnat {
\t\tip daddr 10.77.0.9 tcp dport 8080 dnat ip to 10.89.0.2:8080
\t}
}
table ip foreign {
\tchain input {
\t}
}
"""


def test_what_podman_draws_and_what_connections_leave_is_not_compared() -> None:
    other = RULESET.replace("4b21d880", "031da8cb").replace("10.89.0.2:", "10.89.0.3:")
    other = other.replace("10.77.0.9 limit", "10.77.0.7 limit")
    assert other != RULESET
    assert rules(other) == rules(RULESET)


def test_a_set_that_connections_have_not_filled_yet_is_the_same() -> None:
    filled = "        elements = { 10.77.0.9 limit rate over 9/second burst 5 packets }\n".replace(
        " " * 8, "\t\t"
    )
    assert filled in RULESET
    assert rules(RULESET.replace(filled, "")) == rules(RULESET)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("dport 443 accept", "dport 444 accept"),
        ("policy drop", "policy accept"),
        ("\t\ttcp dport 443 accept\n", ""),
        ("size 65535", "size 65534"),
        ("table ip foreign", "table ip other"),
        ("table ip foreign {\n\tchain input {\n\t}\n}\n", ""),
    ],
)
def test_another_rule_is_another_fingerprint(was: str, now: str) -> None:
    assert was in RULESET
    assert rules(RULESET.replace(was, now)) != rules(RULESET)
