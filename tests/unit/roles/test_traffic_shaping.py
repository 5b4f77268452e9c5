"""The program that gives tunnels their queues: what it reads, and the steps it derives."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/traffic_shaping/files/usr/local/sbin/traffic-shaping"
TWO = """
# a header
queue fifo
patience 200
overhead 80
class 40 60
class 40 100
class 20 100
device wg0
end 1 100000
end 300 20000
"""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module; it is installed without `.py`."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("traffic_shaping", str(PROGRAM))
    specification = importlib.util.spec_from_loader("traffic_shaping", loader)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "traffic_shaping", module)
    loader.exec_module(module)
    return module


def test_what_is_declared_is_read(program: ModuleType) -> None:
    shaping = program.parse(TWO)
    assert (shaping.queue, shaping.patience, shaping.overhead) == ("fifo", 200, 80)
    assert shaping.classes == [(40, 60), (40, 100), (20, 100)]
    assert shaping.devices == {"wg0": {1: 100000, 300: 20000}}


@pytest.mark.parametrize(
    "line",
    [
        "queue cake",
        "end 0 5",
        "end 16384 5",
        "class 1",
        "speed 5",
        "class 1 1\nclass 1 1\nclass 1 1\nclass 1 1",
    ],
)
def test_what_cannot_be_meant_is_refused(program: ModuleType, line: str) -> None:
    with pytest.raises(ValueError, match=r"queues\.conf|numbers of ends|not 1 to 3"):
        program.parse(f"{TWO}{line}\n")


def test_shares_of_a_rate_are_its_classes_and_the_most_urgent_goes_first(program: ModuleType) -> None:
    lines = program.commands(program.parse(TWO), "wg0", bare=True, there=set())
    assert lines[0] == "qdisc replace dev wg0 root handle 1: htb default 0"
    assert [line for line in lines if "classid 1:4b1 " in line or "parent 1:4b1 " in line] == [
        "class replace dev wg0 parent 1:4b0 classid 1:4b1 htb rate 8000kbit ceil 12000kbit prio 0 "
        "quantum 3000 overhead 80",
        # A fifth of a second of its ceiling, in octets.
        "qdisc replace dev wg0 parent 1:4b1 bfifo limit 300000",
    ]
    # No queue is shorter than the largest packet that the kernel joins.
    slow = program.parse(TWO.replace("end 300 20000", "end 300 1000"))
    assert "qdisc replace dev wg0 parent 1:4b3 bfifo limit 131072" in program.commands(
        slow, "wg0", True, set()
    )


def test_production_keeps_order_fairly(program: ModuleType) -> None:
    lines = program.commands(program.parse(TWO.replace("queue fifo", "queue fq_codel")), "wg0", True, set())
    assert len([line for line in lines if line.endswith(" fq_codel")]) == 6
    assert not [line for line in lines if "bfifo" in line]


def test_an_end_that_comes_or_goes_touches_no_other(program: ModuleType) -> None:
    """Running queues keep what waits in them: nothing is taken down and made again."""
    both = program.parse(TWO)
    there = {"1:4", "1:5", "1:6", "1:7", "1:4b0", "1:4b1", "1:4b2", "1:4b3"}
    again = program.commands(both, "wg0", bare=False, there=there)
    assert not [line for line in again if " del " in line or " root " in line]
    one = program.parse(TWO.replace("end 300 20000\n", ""))
    fewer = program.commands(one, "wg0", bare=False, there=there)
    # Children before their parent, and only those of the end that went.
    assert [line for line in fewer if " del " in line] == [
        f"class del dev wg0 classid 1:4b{number}" for number in (3, 2, 1, 0)
    ]
    kept = [line for line in again if "1:4 " in line or " 1:5 " in line]
    assert kept
    assert [line for line in fewer if "1:4 " in line or " 1:5 " in line] == kept
