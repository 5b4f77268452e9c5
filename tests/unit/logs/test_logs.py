"""`province logs`: what the store is asked, and what is made of its lines."""

from __future__ import annotations

import json

import pytest

from province.cli import main, parser
from province.logs import between, command, lines, shown


def line(**fields: str) -> str:
    return json.dumps({"sent": "2026-11-22T10:00:00.000001+07:00", "host": "ns-1", "program": "p", **fields})


def test_a_line_that_came_twice_is_shown_once_and_one_of_another_moment_is_not_it() -> None:
    later = line(sent="2026-11-22T10:00:00.000002+07:00", text="same")
    twice = [line(received="1", text="same"), line(received="2", text="same"), later]
    assert [record["sent"][-12:-6] for record in lines("\n".join(twice))] == ["000001", "000002"]


def test_lines_are_in_the_order_in_which_they_were_sent() -> None:
    texts = [line(sent=f"2026-11-22T10:00:0{n}.0+07:00", text=str(n)) for n in (2, 0, 1)]
    assert [record["text"] for record in lines("\n".join(texts))] == ["0", "1", "2"]


def test_a_line_that_is_being_written_is_left_for_the_next_time() -> None:
    whole = line(text="whole")
    assert [record["text"] for record in lines(f"{whole}\n{whole[:20]}")] == ["whole"]


def test_only_what_matches_is_shown() -> None:
    both = "\n".join([line(text="refused chain=in"), line(text="let in")])
    assert [record["text"] for record in lines(both, "refused .*in")] == ["refused chain=in"]


def test_the_store_is_asked_for_the_named_hosts_and_nothing_of_a_name_is_run() -> None:
    asked = command(["ns-1", "a; rm -rf /"], "2026-11-22")
    assert "/var/log/province/ns-1/2026-11-22.log*" in asked
    assert "'a; rm -rf /'" in asked
    assert "/var/log/province/*/$(date +%F).log*" in command([])


def test_a_record_for_people_has_its_process_where_there_is_one() -> None:
    assert shown(json.loads(line(pid="7", text="x"))).endswith(" ns-1 p[7]: x")
    assert shown(json.loads(line(pid="-", text="x"))).endswith(" ns-1 p: x")


def test_only_what_was_sent_in_the_asked_time_is_shown() -> None:
    texts = [line(sent=f"2026-11-22T{at}:10.0+07:00", text=at) for at in ("09:59", "10:00", "10:29", "10:30")]
    records = list(lines("\n".join(texts)))
    assert [record["text"] for record in between(records, "10:00", "10:30")] == ["10:00", "10:29"]
    assert [record["text"] for record in between(records, since="10:30")] == ["10:30"]
    assert len(list(between(records))) == 4


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--match", "[", "is no regular expression"),
        ("--day", "22/11/2026", "is no day like 2026-11-22"),
        ("--since", "25:00", "is no time like 14:30"),
        ("--until", "noon", "is no time like 14:30"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_a_sentence(
    option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["logs", "lab", option, value])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_who_asks_for_nothing_in_particular_is_understood() -> None:
    asked = parser().parse_args(["logs", "lab"])
    assert (asked.match, asked.day, asked.since, asked.until) == ("", None, None, None)
