"""What managed_tree does on a host: a temporary root, and a pretended dpkg and systemd."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ME = pwd.getpwuid(os.getuid()).pw_name
MY_GROUP = grp.getgrgid(os.getgid()).gr_name


class Host:
    """A pretended host: packages, units with invocations, and a note of every command."""

    def __init__(self, module: ModuleType, root: Path) -> None:
        self.module = module
        self.root = root
        self.packages: set[str] = set()
        self.units: dict[str, dict[str, str]] = {}
        self.refused: dict[str, str] = {}  # first word of a command → what it says when it fails
        self.seen: list[list[str]] = []
        self.invocations = 0

    def unit(self, name: str, **known: str) -> None:
        """A unit that systemd knows."""
        self.units[name] = {
            "LoadState": "loaded",
            "ActiveState": "inactive",
            "SubState": "dead",
            "UnitFileState": "disabled",
            "InvocationID": "",
            "InactiveExitTimestampMonotonic": "0",
            "NeedDaemonReload": "no",
            "Type": "notify",
            "RemainAfterExit": "no",
            "CanReload": "yes",
            "Result": "success",
            "FragmentPath": "",
            "DropInPaths": "",
            "SourcePath": "",
            **known,
        }

    def invoke(self, name: str, later: float = 0.0) -> None:
        """Start a unit, whoever asks for it, some seconds later."""
        self.invocations += 1
        self.units[name].update(
            ActiveState="active",
            SubState="running",
            InvocationID=f"{self.invocations:032x}",
            InactiveExitTimestampMonotonic=str(int((time.clock_gettime(time.CLOCK_MONOTONIC) + later) * 1e6)),
        )

    def commands(self, word: str) -> list[list[str]]:
        """The commands that began with a word, or `systemctl` and this verb."""
        return [
            argv for argv in self.seen if argv[0] == word or (argv[0] == "systemctl" and word in argv[1:3])
        ]

    def __call__(self, argv: Sequence[str], *, seconds: int = 300) -> Any:
        """Take the place of `run`."""
        assert seconds > 0
        self.seen.append(list(argv))
        said = ""
        if argv[0] in self.refused:
            return self.module.Done(1, self.refused[argv[0]], self.refused[argv[0]])
        if argv[0] == "dpkg-query":
            said = "".join(f"{name} ii \n" for name in argv if name in self.packages)
        elif argv[0] == "apt-get":
            self.packages.update(argv[argv.index("install") + 1 :])
        elif argv[:2] == ["systemctl", "show"]:
            names = argv[argv.index("--") + 1 :]
            missing = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"}
            blocks = [{"Id": name, **self.units.get(name, missing)} for name in names]
            said = "\n\n".join(
                "\n".join(f"{key}={value}" for key, value in block.items()) for block in blocks
            )
        elif argv[0] == "systemctl":
            self.verb(list(argv))
        return self.module.Done(0, said, said)

    def verb(self, argv: list[str]) -> None:
        """What systemctl's other verbs do."""
        words = [word for word in argv[1:] if not word.startswith("-")]
        verb, names = words[0], words[1:]
        for name in names:
            if verb in ("start", "restart"):
                self.invoke(name)
            elif verb == "stop":
                self.units[name].update(ActiveState="inactive", SubState="dead")
            elif verb in ("enable", "disable", "mask", "unmask"):
                states = {"enable": "enabled", "mask": "masked"}
                self.units.setdefault(name, {"LoadState": "masked", "ActiveState": "inactive"})
                self.units[name]["UnitFileState"] = states.get(verb, "disabled")


Lay = Callable[..., Any]


@pytest.fixture
def host(module: ModuleType, tmp_path: Path) -> Host:
    """A host with an empty root."""
    for name in ("etc", "run/province", "usr/sbin"):
        (tmp_path / name).mkdir(parents=True)
    return Host(module, tmp_path)


@pytest.fixture
def lay(module: ModuleType, host: Host) -> Lay:
    """`lay(check=False, call=host, **options)`: one run; owners default to whoever runs the test."""

    def complete(spec: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        done: dict[str, Any] = {}
        for key, option in spec.items():
            default = {"owner": ME, "group": MY_GROUP}.get(key, option.get("default"))
            value = given.get(key, default)
            if option.get("options") and value:
                value = [complete(option["options"], entry) for entry in value]
            done[key] = value
        assert set(given) - {"text"} <= set(spec), "a test gives an option that there is not"
        return done

    def run(check: bool = False, call: Any = None, **options: Any) -> Any:
        contents = [entry.get("text", "").encode() for entry in options.get("files", [])]
        completed = complete(module.argument_spec(), options)
        tree = module.Tree(completed, contents, check=check, call=call or host, root=str(host.root))
        try:
            return tree.lay_down()
        except module.TreeError as error:
            error.outcome = tree.outcome
            raise

    return run


def test_a_second_run_changes_nothing_and_asks_for_nothing(host: Host, lay: Lay) -> None:
    host.packages = {"unbound"}
    host.unit("unbound.service")
    options: dict[str, Any] = {
        "packages": ["unbound"],
        "directories": [{"path": "/etc/unbound", "exclusive": True}],
        "files": [{"dest": "/etc/unbound/unbound.conf", "text": "server:\n"}],
        "links": [{"path": "/etc/localtime", "target": "/usr/share/zoneinfo/UTC"}],
        "units": [
            {"name": "unbound.service", "state": "started", "enabled": True, "watch": ["/etc/unbound"]}
        ],
    }
    first = lay(**options)
    assert first.restarted == ["unbound.service"]
    host.seen.clear()
    assert lay(**options).changes == []
    assert [argv[:2] for argv in host.seen] == [["dpkg-query", "--show"], ["systemctl", "show"]]


def test_only_missing_packages_are_installed_in_one_call_with_services_held_down(
    host: Host, lay: Lay
) -> None:
    host.packages = {"knot"}
    policies: list[str] = []
    ask = host.__class__.__call__

    def watching(argv: Sequence[str], *, seconds: int = 300) -> Any:
        if argv[0] == "apt-get":
            policies.append((host.root / "usr/sbin/policy-rc.d").read_text())
        return ask(host, argv, seconds=seconds)

    outcome = lay(call=watching, packages=["knot", "kea", "radvd"])
    assert outcome.changes == ["Installed kea, radvd."]
    assert [argv[argv.index("install") + 1 :] for argv in host.commands("apt-get")] == [["kea", "radvd"]]
    assert policies
    assert "exit 101" in policies[0]
    assert not (host.root / "usr/sbin/policy-rc.d").exists()


def test_a_lock_of_another_apt_is_waited_for(host: Host, lay: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(100, "E: Could not get lock /var/lib/apt/lists/lock"), (0, "")])
    monkeypatch.setattr(host.module.time, "sleep", lambda _seconds: None)

    def busy(argv: Sequence[str], *, seconds: int = 300) -> Any:
        if argv[0] != "apt-get":
            return host(argv, seconds=seconds)
        status, said = next(answers)
        return host.module.Done(status, said, said)

    assert lay(call=busy, packages=["kea"]).changes == ["Installed kea."]
    assert next(answers, None) is None


def test_nothing_goes_live_when_one_checker_refuses(host: Host, lay: Lay) -> None:
    (host.root / "etc/a").write_text("old")
    host.refused["checker"] = "line 3: no such word"
    with pytest.raises(
        host.module.TreeError, match="No file has changed: `checker -t /etc/b` refused /etc/b"
    ) as failure:
        lay(
            files=[
                {"dest": "/etc/a", "text": "new"},
                {"dest": "/etc/b", "text": "x", "validate": "checker -t %s"},
            ]
        )
    assert "line 3: no such word" in str(failure.value)
    assert (host.root / "etc/a").read_text() == "old"
    assert not (host.root / "etc/b").exists()
    assert failure.value.outcome.changes == []


def test_the_whole_tree_is_checked_where_no_daemon_reads_it(host: Host, lay: Lay) -> None:
    lay(files=[{"dest": "/etc/kea/a.conf", "text": "{}"}], validate=["kea -t {tree}/etc/kea/a.conf"])
    (argv,) = host.commands("kea")
    staged = Path(argv[2])
    assert staged.parts[-3:] == ("etc", "kea", "a.conf")
    assert staged != host.root / "etc/kea/a.conf"
    assert not staged.exists(), "the staged tree is left behind"


def test_checkers_are_not_run_for_what_is_the_same(host: Host, lay: Lay) -> None:
    files = [{"dest": "/etc/a", "text": "x", "validate": "checker %s"}]
    lay(files=files)
    host.seen.clear()
    lay(files=files)
    assert host.commands("checker") == []


def test_a_full_disk_is_met_before_the_first_rename(
    host: Host, lay: Lay, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    original = host.module.Tree.write

    def full(self: Any, path: Path, file: Any) -> None:
        if path.name.endswith(".province-new") and file.dest == "/etc/b":
            raise OSError(28, "No space left on device", str(path))
        written.append(file.dest)
        original(self, path, file)

    monkeypatch.setattr(host.module.Tree, "write", full)
    with pytest.raises(host.module.TreeError, match="No file has changed: No space left on device"):
        lay(files=[{"dest": "/etc/a", "text": "1"}, {"dest": "/etc/b", "text": "2"}])
    assert "/etc/a" in written
    assert sorted(path.name for path in (host.root / "etc").iterdir()) == []


def test_modes_are_set_before_anybody_can_read(host: Host, lay: Lay) -> None:
    lay(files=[{"dest": "/etc/key", "text": "secret", "mode": "0600"}])
    assert (host.root / "etc/key").stat().st_mode & 0o777 == 0o600
    (host.root / "etc/key").chmod(0o644)
    (sentence,) = lay(files=[{"dest": "/etc/key", "text": "secret", "mode": "0600"}]).changes
    assert "0600" in sentence
    assert "0644" in sentence


def test_an_exclusive_directory_loses_what_nobody_names(host: Host, lay: Lay) -> None:
    place = host.root / "etc/x"
    (place / "sub/deep").mkdir(parents=True)
    for name in ("mine", "stale", "kept.key", "sub/named", "sub/deep/stale"):
        (place / name).write_text("")
    outcome = lay(
        directories=[{"path": "/etc/x", "exclusive": True, "keep": ["*.key"]}],
        files=[{"dest": "/etc/x/mine"}, {"dest": "/etc/x/sub/named"}],
    )
    assert outcome.changes == ["Removed /etc/x/stale.", "Removed /etc/x/sub/deep."]
    assert sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()) == [
        "kept.key",
        "mine",
        "sub/named",
    ]


@pytest.mark.parametrize("path", ["/", "/etc", "/etc/", "/usr", "/var/lib"])
def test_directories_of_others_are_never_exclusive(host: Host, lay: Lay, path: str) -> None:
    (host.root / "var/lib").mkdir(parents=True)
    (host.root / "etc/precious").write_text("")
    with pytest.raises(host.module.TreeError, match="cannot be exclusive"):
        lay(directories=[{"path": path, "exclusive": True, "mode": "0755"}])
    assert (host.root / "etc/precious").exists()


def test_check_mode_tells_everything_and_touches_nothing(host: Host, lay: Lay) -> None:
    host.unit("a.service", FragmentPath="/etc/systemd/system/a.service")
    host.invoke("a.service")
    (host.root / "etc/stale").write_text("")
    (host.root / "etc/a").write_text("old\n")
    before = sorted(host.root.rglob("*"))
    outcome = lay(
        check=True,
        packages=["unbound"],
        users=[{"name": "nobody-yet"}],
        directories=[{"path": "/etc/new"}],
        files=[{"dest": "/etc/a", "text": "new\n", "owner": "unbound"}],
        links=[{"path": "/etc/l", "target": "x"}],
        absent=["/etc/stale"],
        commands=[{"command": "make it", "creates": "/etc/made"}],
        units=[{"name": "a.service", "state": "started", "enabled": True, "watch": ["/etc/a"]}],
    )
    assert outcome.changes == [
        "Installed unbound.",
        "Made the user nobody-yet.",
        "Rewrote /etc/a.",
        "Made the directory /etc/new.",
        "Linked /etc/l to x.",
        "Removed /etc/stale.",
        "Ran `make it`.",
        "Enabled a.service.",
        "Restarted a.service.",
    ]
    assert outcome.diff == [
        {"before": "old\n", "after": "new\n", "before_header": "/etc/a", "after_header": "/etc/a"}
    ]
    assert sorted(host.root.rglob("*")) == before
    assert {argv[0] for argv in host.seen} == {"dpkg-query", "systemctl"}
    assert {argv[1] for argv in host.commands("systemctl")} == {"show"}


def test_a_sensitive_file_is_never_shown(host: Host, lay: Lay) -> None:
    (host.root / "etc/key").write_text("old secret")
    outcome = lay(files=[{"dest": "/etc/key", "text": "new secret", "sensitive": True}])
    assert "secret" not in repr(outcome.changes) + repr(outcome.diff)
    assert outcome.diff, "that it differs is to be seen"


def test_words_of_a_sensitive_file_are_scrubbed_from_messages(module: ModuleType) -> None:
    lines = module.secret_lines([b"[Interface]\nPrivateKey = YAnz5TF+lXXJte14tji3zlMNq+hd2rYU\n"])
    assert "YAnz5TF+lXXJte14tji3zlMNq+hd2rYU" in lines
    assert "PrivateKey" not in lines


# Units ---------------------------------------------------------------------------------------------------


def served(text: str, **unit: Any) -> dict[str, Any]:
    """A task with one file and the unit that reads it."""
    return {
        "files": [{"dest": "/etc/d/conf", "text": text}],
        "units": [{"name": "d.service", "state": "started", "watch": ["/etc/d"], **unit}],
    }


def test_a_unit_restarts_when_its_file_has_changed(host: Host, lay: Lay) -> None:
    host.unit("d.service")
    lay(**served("1"))
    assert lay(**served("2")).changes == ["Rewrote /etc/d/conf.", "Restarted d.service."]
    assert lay(**served("2")).changes == []


def test_a_run_interrupted_before_the_restart_is_healed_by_the_next(host: Host, lay: Lay) -> None:
    host.unit("d.service")
    lay(**served("1"))
    lay(files=[{"dest": "/etc/d/conf", "text": "2"}])  # as far as a run came that was killed then
    assert lay(**served("2")).changes == ["Restarted d.service."]


def test_a_run_interrupted_in_the_restart_is_healed_by_the_next(host: Host, lay: Lay) -> None:
    host.unit("d.service")
    lay(**served("1"))
    host.refused["journalctl"] = ""

    def killed(argv: Sequence[str], *, seconds: int = 300) -> Any:
        if argv[:2] == ["systemctl", "restart"]:
            raise KeyboardInterrupt
        return host(argv, seconds=seconds)

    with pytest.raises(KeyboardInterrupt):
        lay(call=killed, **served("2"))
    assert lay(**served("2")).changes == ["Restarted d.service."]


def test_a_file_that_was_changed_and_changed_back_restarts_nothing(host: Host, lay: Lay) -> None:
    host.unit("d.service")
    lay(**served("1"))
    (host.root / "etc/d/conf").write_text("by hand")
    assert lay(**served("1")).changes == ["Rewrote /etc/d/conf."]


def test_a_drop_in_that_goes_away_restarts_too(host: Host, lay: Lay) -> None:
    host.unit("d.service")
    task = served("1")
    task["directories"] = [{"path": "/etc/d", "exclusive": True}]
    lay(**task)
    (host.root / "etc/d/extra").write_text("by hand")
    host.units["d.service"]["ActiveState"] = "inactive"
    host.invoke("d.service")  # somebody restarted it with the extra file
    assert lay(**task).changes == ["Removed /etc/d/extra.", "Restarted d.service."]


def test_a_unit_started_by_boot_with_the_present_files_is_left_alone(host: Host, lay: Lay) -> None:
    host.unit("d.service")
    lay(**served("1"))
    shutil.rmtree(host.root / "run/province")  # gone with the boot
    host.invoke("d.service", later=10)
    assert lay(**served("1")).changes == []
    assert lay(**served("2")).restarted == ["d.service"], "what boot started is known from now on"


def test_a_unit_that_somebody_started_before_the_file_changed_is_restarted(host: Host, lay: Lay) -> None:
    host.unit("d.service")
    host.invoke("d.service")
    assert lay(**served("1")).restarted == ["d.service"]


def test_reload_is_used_where_it_is_asked_for_and_possible(host: Host, lay: Lay) -> None:
    host.unit("d.service")
    lay(**served("1", on_change="reload"))
    outcome = lay(**served("2", on_change="reload"))
    assert (outcome.reloaded, outcome.restarted) == (["d.service"], [])
    assert lay(**served("2", on_change="reload")).changes == []
    host.units["d.service"]["CanReload"] = "no"
    assert lay(**served("3", on_change="reload")).restarted == ["d.service"]


def test_a_changed_unit_file_restarts_even_where_files_only_reload(host: Host, lay: Lay) -> None:
    host.unit("d.service", FragmentPath="/etc/systemd/system/d.service")
    unit = {"name": "d.service", "state": "started", "on_change": "reload"}
    lay(files=[{"dest": "/etc/systemd/system/d.service", "text": "1"}], units=[unit])
    host.seen.clear()
    outcome = lay(files=[{"dest": "/etc/systemd/system/d.service", "text": "2"}], units=[unit])
    assert outcome.restarted == ["d.service"]
    assert len(host.commands("daemon-reload")) == 1


def test_systemd_is_told_to_read_its_unit_files_only_when_they_changed(host: Host, lay: Lay) -> None:
    host.unit("d.service")
    lay(**served("1"))
    lay(**served("2"))
    assert host.commands("daemon-reload") == []
    host.units["d.service"]["NeedDaemonReload"] = "yes"  # a run was interrupted before it could
    lay(**served("2"))
    assert len(host.commands("daemon-reload")) == 1


def test_one_unit_may_restart_for_one_file_and_reload_for_another(host: Host, lay: Lay) -> None:
    host.unit("frr.service")

    def task(daemons: str, config: str) -> dict[str, Any]:
        name = {"name": "frr.service", "state": "started"}
        return {
            "files": [
                {"dest": "/etc/frr/daemons", "text": daemons},
                {"dest": "/etc/frr/frr.conf", "text": config},
            ],
            "units": [
                {**name, "watch": ["/etc/frr/daemons"], "on_change": "restart"},
                {**name, "watch": ["/etc/frr/frr.conf"], "on_change": "reload"},
            ],
        }

    lay(**task("1", "1"))
    assert lay(**task("1", "2")).reloaded == ["frr.service"]
    assert lay(**task("2", "2")).restarted == ["frr.service"]
    both = lay(**task("3", "3"))
    assert (both.restarted, both.reloaded) == (["frr.service"], [])
    assert lay(**task("3", "3")).changes == []


def test_a_one_shot_that_does_not_remain_runs_once_for_each_state_of_its_files(host: Host, lay: Lay) -> None:
    host.unit("d.service", Type="oneshot")

    def done() -> None:
        host.units["d.service"].update(ActiveState="inactive", SubState="dead")

    assert lay(**served("1")).restarted == ["d.service"]
    done()
    assert lay(**served("1")).changes == []
    assert lay(**served("2")).restarted == ["d.service"]
    host.invoke("d.service", later=10)  # boot ran it with the present files
    done()
    shutil.rmtree(host.root / "run/province")
    assert lay(**served("2")).changes == []
    assert lay(**served("3")).restarted == ["d.service"]


def test_a_unit_that_does_not_start_says_its_last_words(host: Host, lay: Lay) -> None:
    host.unit("d.service")

    def failing(argv: Sequence[str], *, seconds: int = 300) -> Any:
        if argv[:2] == ["systemctl", "start"]:
            host.units["d.service"].update(ActiveState="failed", SubState="failed", Result="exit-code")
            return host.module.Done(1, "Job for d.service failed.", "")
        if argv[0] == "journalctl" and "--sync" not in argv:
            return host.module.Done(0, "d: cannot bind to port 53", "d: cannot bind to port 53")
        return host(argv, seconds=seconds)

    with pytest.raises(host.module.TreeError, match=r"d\.service did not start(.|\n)*cannot bind to port 53"):
        lay(call=failing, **served("1"))
    assert lay(**served("1")).restarted == ["d.service"], "the next run tries again"


def test_a_unit_that_dies_right_after_its_start_is_a_failure(host: Host, lay: Lay) -> None:
    host.unit("d.service", Type="simple")

    def dying(argv: Sequence[str], *, seconds: int = 300) -> Any:
        done = host(argv, seconds=seconds)
        if argv[:2] == ["systemctl", "start"]:
            host.units["d.service"].update(ActiveState="activating", SubState="auto-restart")
        return done

    with pytest.raises(host.module.TreeError, match=r"d\.service did not start"):
        lay(call=dying, **served("1"))


def test_what_is_to_be_confirmed_is_handed_back_until_the_controller_has_done_it(
    host: Host, lay: Lay
) -> None:
    host.unit("d.service")
    (command,) = lay(**served("1", confirm="d confirm")).confirm
    confirmed, _, mark = command.partition(" && rm -f ")
    assert confirmed == "d confirm"
    again = lay(**served("1", confirm="d confirm"))
    assert (again.changes, again.confirm) == ([], [command]), "a run was interrupted before it confirmed"
    (host.root / mark.lstrip("/")).unlink()
    assert lay(**served("1", confirm="d confirm")).confirm == []


def test_units_are_stopped_disabled_and_masked(host: Host, lay: Lay) -> None:
    host.unit("d.service", UnitFileState="enabled")
    host.invoke("d.service")
    off = {"units": [{"name": "d.service", "state": "stopped", "enabled": False}]}
    assert lay(**off).changes == ["Disabled d.service.", "Stopped d.service."]
    assert lay(**off).changes == []
    masked = {"units": [{"name": "d.service", "masked": True}, {"name": "unknown.service", "masked": True}]}
    assert lay(**masked).changes == ["Masked d.service, unknown.service."]
    assert lay(**masked).changes == []
    assert lay(units=[{"name": "d.service", "state": "started", "enabled": True}]).changes == [
        "Unmasked d.service.",
        "Enabled d.service.",
        "Started d.service.",
    ]


def test_commands_run_only_where_they_are_needed(host: Host, lay: Lay) -> None:
    (host.root / "etc/made").write_text("")
    host.refused["asked"] = "no"
    outcome = lay(
        commands=[
            {"command": "first", "creates": "/etc/made"},
            {"command": "second", "unless": "true"},
            {"command": "third --with 'two words'", "unless": "asked"},
        ]
    )
    assert outcome.changes == ["Ran `third --with 'two words'`."]
    assert host.commands("third") == [["third", "--with", "two words"]]
    assert host.commands("first") == host.commands("second") == []


def test_the_options_are_those_of_the_manual(module: ModuleType) -> None:
    """DOCUMENTATION and argument_spec are written by hand, both; neither may know more than the other."""
    import yaml

    documented = yaml.safe_load(module.DOCUMENTATION)["options"]

    def compare(spec: dict[str, Any], manual: dict[str, Any], where: str) -> None:
        assert set(spec) == set(manual), where
        for key, option in spec.items():
            place = f"{where}{key}"
            for word in ("type", "elements", "default", "choices", "required"):
                assert option.get(word) == manual[key].get(word), f"{place}: {word}"
            assert manual[key]["description"], place
            if "options" in option:
                compare(option["options"], manual[key]["suboptions"], f"{place}.")

    compare(module.argument_spec(), documented, "")
