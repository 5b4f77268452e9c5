"""What the key ledger promises: pairs that fit, nothing private outside, damage named."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # ships no types
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from province import ledger as module
from province.ledger import Kind, Ledger, Recipient
from province.problems import ProblemsFoundError
from province.recipients import state_of


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "lab"


@pytest.fixture
def ledger(state: Path) -> Ledger:
    return Ledger.create(state)


def code_of(caught: pytest.ExceptionInfo[ProblemsFoundError]) -> str:
    return caught.value.problems[0].code


def everything_said(error: BaseException) -> str:
    """Show an exception with all it is chained to, as a traceback would print it."""
    said = []
    seen: BaseException | None = error
    while seen is not None:
        said.append(repr(seen))
        seen = seen.__cause__ or seen.__context__
    return "\n".join(said)


def test_a_wireguard_pair_fits_and_has_the_form_of_wg(ledger: Ledger) -> None:
    public = ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    private = base64.b64decode(ledger.secret("wireguard/edge-1"), validate=True)
    derived = X25519PrivateKey.from_private_bytes(private).public_key()
    assert base64.b64encode(derived.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode() == public
    assert len(public) == 44


def test_an_ssh_pair_is_what_openssh_reads(ledger: Ledger) -> None:
    public = ledger.ensure_keypair(module.USER_CA, "ssh")
    private = load_ssh_private_key(ledger.secret(module.USER_CA), password=None)
    derived = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert public == f"{derived} {module.USER_CA}"


def test_a_password_has_no_public_half(ledger: Ledger, state: Path) -> None:
    assert ledger.ensure_keypair(module.STACK_PASSPHRASE, Kind.PASSWORD) == ""
    assert len(ledger.secret(module.STACK_PASSPHRASE)) == 40
    assert not (state / "ledger/password/stack.pub").exists()


def test_a_second_call_changes_no_file(ledger: Ledger, state: Path) -> None:
    names = ["edge-1", "hub-1"]
    first = ledger.ensure_for_hosts(names)
    before = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert Ledger.create(state).ensure_for_hosts(names) == first
    assert {path: path.read_bytes() for path in state.rglob("*") if path.is_file()} == before
    assert ledger.publics() == {f"wireguard/{name}": public for name, public in first.items()}


def test_only_the_owner_may_read_private_files(ledger: Ledger, state: Path) -> None:
    ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    assert (state / "identity.txt").stat().st_mode & 0o777 == 0o600
    assert (state / "ledger/wireguard/edge-1.age").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700


def test_no_plain_private_half_is_on_disk(ledger: Ledger, state: Path) -> None:
    ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    ledger.ensure_keypair("ssh-ca/host", Kind.SSH)
    private = [ledger.secret("wireguard/edge-1"), ledger.secret("ssh-ca/host")]
    for path in state.rglob("*"):
        if path.is_file():
            assert not any(secret in path.read_bytes() for secret in private), path


def test_an_identity_that_others_may_read_is_refused(ledger: Ledger, state: Path) -> None:
    ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    (state / "identity.txt").chmod(0o644)
    with pytest.raises(ProblemsFoundError) as caught:
        Ledger.open(state)
    assert code_of(caught) == "LED-006"


@pytest.mark.parametrize("place", [0, 40, -1], ids=["header", "stanza", "payload"])
def test_a_tampered_ciphertext_is_a_problem_without_secrets(ledger: Ledger, state: Path, place: int) -> None:
    ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    secret = ledger.secret("wireguard/edge-1").decode()
    path = state / "ledger/wireguard/edge-1.age"
    sealed = bytearray(path.read_bytes())
    sealed[place] ^= 1
    path.write_bytes(bytes(sealed))
    with pytest.raises(ProblemsFoundError) as caught:
        ledger.secret("wireguard/edge-1")
    assert code_of(caught) == "LED-003"
    assert secret not in everything_said(caught.value)


def test_a_wrong_identity_is_a_problem_without_secrets(ledger: Ledger, state: Path) -> None:
    ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    stranger = pyrage.x25519.Identity.generate()
    (state / "identity.txt").write_text(f"{stranger}\n")
    with pytest.raises(ProblemsFoundError) as caught:
        Ledger.open(state).secret("wireguard/edge-1")
    assert code_of(caught) == "LED-003"
    assert str(stranger) not in everything_said(caught.value)


def test_a_broken_identity_is_not_shown(ledger: Ledger, state: Path) -> None:
    assert ledger.recipients
    broken = (state / "identity.txt").read_text().splitlines()[-1][:-4]
    (state / "identity.txt").write_text(f"{broken}\n")
    with pytest.raises(ProblemsFoundError) as caught:
        Ledger.open(state)
    assert code_of(caught) == "LED-002"
    assert broken not in everything_said(caught.value)


def test_a_ciphertext_moved_to_another_name_is_refused(ledger: Ledger, state: Path) -> None:
    ledger.ensure_for_hosts(["edge-1", "hub-1"])
    shutil.copy(state / "ledger/wireguard/hub-1.age", state / "ledger/wireguard/edge-1.age")
    with pytest.raises(ProblemsFoundError) as caught:
        ledger.secret("wireguard/edge-1")
    assert code_of(caught) == "LED-005"


def test_a_public_half_that_does_not_fit_is_refused(ledger: Ledger, state: Path) -> None:
    ledger.ensure_for_hosts(["edge-1", "hub-1"])
    shutil.copy(state / "ledger/wireguard/hub-1.pub", state / "ledger/wireguard/edge-1.pub")
    with pytest.raises(ProblemsFoundError) as caught:
        ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    assert code_of(caught) == "LED-005"


def test_a_run_killed_between_the_two_files_heals(ledger: Ledger, state: Path) -> None:
    public = ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    (state / "ledger/wireguard/edge-1.pub").unlink()
    assert ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD) == public
    assert ledger.public("wireguard/edge-1") == public


def test_a_lost_private_half_is_never_replaced_silently(ledger: Ledger, state: Path) -> None:
    ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    (state / "ledger/wireguard/edge-1.age").unlink()
    with pytest.raises(ProblemsFoundError) as caught:
        ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    assert code_of(caught) == "LED-004"


def test_a_lost_identity_is_never_replaced_silently(ledger: Ledger, state: Path) -> None:
    ledger.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    (state / "identity.txt").unlink()
    with pytest.raises(ProblemsFoundError) as caught:
        Ledger.create(state)
    assert code_of(caught) == "LED-002"
    assert not (state / "identity.txt").exists()


def test_an_entry_never_changes_its_kind(ledger: Ledger) -> None:
    ledger.ensure_keypair("ssh-ca/host", Kind.SSH)
    with pytest.raises(ProblemsFoundError) as caught:
        ledger.ensure_keypair("ssh-ca/host", Kind.PASSWORD)
    assert code_of(caught) == "LED-007"


def test_a_second_recipient_reads_everything_and_the_first_still_does(ledger: Ledger, state: Path) -> None:
    ledger.ensure_for_hosts(["edge-1", "hub-1"])
    colleague = pyrage.x25519.Identity.generate()
    ledger.add_recipient(str(colleague.to_public()), "Trần Thị B")
    ledger.ensure_keypair("wireguard/ns-1", Kind.WIREGUARD)
    expected = {name: ledger.secret(name) for name in ledger.publics()}
    (state / "identity.txt").write_text(f"{colleague}\n")
    assert {name: Ledger.open(state).secret(name) for name in expected} == expected
    assert len(expected) == 3


@pytest.mark.parametrize("recipient", ["age1nonsense", "", "ssh-ed25519 AAAA"])
def test_a_recipient_that_is_none_is_refused(ledger: Ledger, recipient: str) -> None:
    before = ledger.recipients
    with pytest.raises(ProblemsFoundError) as caught:
        ledger.add_recipient(recipient, "nobody")
    assert code_of(caught) == "LED-008"
    assert ledger.recipients == before


def another(number: int = 1) -> list[pyrage.x25519.Identity]:
    return [pyrage.x25519.Identity.generate() for _ in range(number)]


def with_three(ledger: Ledger) -> list[pyrage.x25519.Identity]:
    """Entries of several kinds, and two more who open them."""
    ledger.ensure_for_hosts(["edge-1", "hub-1"])
    ledger.ensure_keypair("password/stack", Kind.PASSWORD)
    others = another(2)
    for number, one in enumerate(others, 2):
        ledger.add_recipient(str(one.to_public()), f"person {number}")
    return others


def opened_by(state: Path, identity: object) -> dict[str, bytes]:
    """What somebody finds in the ledger with nothing else than their own identity."""
    reader = Ledger(state / "ledger", identity)
    return {entry.name: reader.secret(entry.name) for entry in reader.entries()}


def test_any_one_of_three_opens_everything(ledger: Ledger, state: Path) -> None:
    others = with_three(ledger)
    wanted = {entry.name: ledger.secret(entry.name) for entry in ledger.entries()}
    assert len(wanted) == 3
    assert [opened_by(state, one) for one in others] == [wanted, wanted]
    assert ledger.sealed_otherwise() == ()
    assert state_of(ledger) == []


def test_who_is_removed_opens_nothing_any_more_and_the_others_everything(ledger: Ledger, state: Path) -> None:
    gone, stays = with_three(ledger)
    (fourth,) = another()
    ledger.add_recipient(str(fourth.to_public()), "person 4")
    wanted = opened_by(state, stays)
    assert ledger.remove_recipient("person 2") == Recipient(key=str(gone.to_public()), who="person 2")
    for path in (state / "ledger").rglob("*.age"):
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(path.read_bytes(), [gone])
    assert opened_by(state, stays) == opened_by(state, fourth) == wanted
    assert [person.who for person in ledger.people] == ["lab: first operator", "person 3", "person 4"]


def test_two_who_are_lost_are_replaced_by_the_one_who_is_left(ledger: Ledger, state: Path) -> None:
    _, left = with_three(ledger)
    wanted = opened_by(state, left)
    (state / "identity.txt").write_text(f"{left}\n", encoding="utf-8")
    rest = Ledger.open(state)
    new = another(2)
    for number, one in enumerate(new, 4):
        rest.add_recipient(str(one.to_public()), f"person {number}")
    for who in ("lab: first operator", "person 2"):
        rest.remove_recipient(who)
    assert opened_by(state, new[0]) == opened_by(state, new[1]) == wanted
    assert [person.who for person in rest.people] == ["person 3", "person 4", "person 5"]


def test_a_change_of_recipients_that_was_killed_is_seen_and_repeated(
    ledger: Ledger, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_three(ledger)
    (new,) = another()
    written = module.write_atomically
    calls = 0

    def killed(path: Path, content: bytes, mode: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise KeyboardInterrupt
        written(path, content, mode)

    monkeypatch.setattr(module, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        ledger.add_recipient(str(new.to_public()), "person 4")
    monkeypatch.undo()
    assert len(ledger.people) == 3, "who does not open all of it is listed"
    (half,) = ledger.sealed_otherwise()
    assert half in "".join(state_of(ledger))
    ledger.add_recipient(str(new.to_public()), "person 4")
    assert state_of(ledger) == []
    assert len(opened_by(state, new)) == 3


def test_fewer_than_three_are_told(ledger: Ledger) -> None:
    ledger.ensure_keypair("password/stack", Kind.PASSWORD)
    assert state_of(ledger)[0].startswith("1 of at least 3 recipients")


@pytest.mark.parametrize(
    ("which", "code"), [("nobody", "LED-010"), ("lab: first operator", "LED-011"), ("person 2", "LED-012")]
)
def test_nobody_is_removed_who_must_not_be(ledger: Ledger, state: Path, which: str, code: str) -> None:
    with_three(ledger)
    before = {path: path.read_bytes() for path in (state / "ledger").rglob("*") if path.is_file()}
    with pytest.raises(ProblemsFoundError) as caught:
        ledger.remove_recipient(which)
    assert code_of(caught) == code
    assert {path: path.read_bytes() for path in (state / "ledger").rglob("*") if path.is_file()} == before


def test_a_copy_is_opened_elsewhere_by_any_of_them(ledger: Ledger, state: Path, tmp_path: Path) -> None:
    _, third = with_three(ledger)
    ledger.copy_to(tmp_path / "copy.tar")
    assert b"AGE-SECRET" not in (tmp_path / "copy.tar").read_bytes()
    there = tmp_path / "there/lab"
    there.mkdir(parents=True)
    module.write_atomically(there / "identity.txt", f"{third}\n".encode(), 0o600)
    restored = Ledger.restore(there, tmp_path / "copy.tar")
    assert restored.entries() == ledger.entries()
    assert [restored.secret(e.name) for e in restored.entries()] == [
        ledger.secret(e.name) for e in ledger.entries()
    ]
    assert restored.people == ledger.people
    assert sorted(p.relative_to(there) for p in (there / "ledger").rglob("*.*")) == sorted(
        p.relative_to(state) for p in (state / "ledger").rglob("*.*") if p.name != ".lock"
    )


def rewritten(archive: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Make an archive of what another holds and somebody has changed."""
    with tarfile.open(archive) as tar:
        contents = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]  # files only
    change(contents)
    with tarfile.open(archive, "w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def listed_anew(contents: dict[str, bytes]) -> None:
    """Digests as somebody writes them who knows how."""
    del contents["contents.json"]
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    contents["contents.json"] = json.dumps(digests).encode()


def _swapped(contents: dict[str, bytes]) -> None:
    contents["wireguard/hub-1.age"] = contents["wireguard/edge-1.age"]
    listed_anew(contents)


def _climbing(contents: dict[str, bytes]) -> None:
    contents["../evil.pub"] = b"x"
    listed_anew(contents)


def _changed(contents: dict[str, bytes]) -> None:
    sealed = bytearray(contents["wireguard/hub-1.age"])
    sealed[-1] ^= 1
    contents["wireguard/hub-1.age"] = bytes(sealed)
    listed_anew(contents)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda c: c.pop("wireguard/hub-1.age"), "LED-013"),
        (lambda c: c.pop("recipients"), "LED-013"),
        (lambda c: c.pop("contents.json"), "LED-013"),
        (lambda c: c.update({"wireguard/hub-1.pub": b"other\n"}), "LED-013"),
        (_climbing, "LED-013"),
        (_swapped, "LED-005"),
        (_changed, "LED-003"),
    ],
    ids=["an entry less", "no list", "no digests", "another half", "a name outside", "swapped", "tampered"],
)
def test_a_copy_that_is_not_whole_is_refused_and_nothing_of_it_left(
    ledger: Ledger, tmp_path: Path, change: Callable[[dict[str, bytes]], object], code: str
) -> None:
    _, third = with_three(ledger)
    archive = tmp_path / "copy.tar"
    ledger.copy_to(archive)
    rewritten(archive, change)
    there = tmp_path / "there/lab"
    there.mkdir(parents=True)
    module.write_atomically(there / "identity.txt", f"{third}\n".encode(), 0o600)
    with pytest.raises(ProblemsFoundError) as caught:
        Ledger.restore(there, archive)
    assert code_of(caught) == code
    assert [path.name for path in there.parent.rglob("*")] == ["lab", "identity.txt"]


def test_a_copy_never_replaces_a_ledger(ledger: Ledger, state: Path, tmp_path: Path) -> None:
    with_three(ledger)
    ledger.copy_to(tmp_path / "copy.tar")
    with pytest.raises(ProblemsFoundError) as caught:
        Ledger.restore(state, tmp_path / "copy.tar")
    assert code_of(caught) == "LED-014"


def test_who_has_no_identity_that_it_is_for_restores_nothing(ledger: Ledger, tmp_path: Path) -> None:
    with_three(ledger)
    ledger.copy_to(tmp_path / "copy.tar")
    there = tmp_path / "there"
    module.make_identity(there / "identity.txt")
    with pytest.raises(ProblemsFoundError) as caught:
        Ledger.restore(there, tmp_path / "copy.tar")
    assert code_of(caught) == "LED-003"
    assert not (there / "ledger").exists()


@pytest.mark.parametrize("name", ["../identity", "wireguard/", "", "Wire", "a//b", "/etc/passwd", ".lock"])
def test_a_name_never_leaves_the_ledger(ledger: Ledger, name: str) -> None:
    with pytest.raises(ProblemsFoundError) as caught:
        ledger.ensure_keypair(name, Kind.PASSWORD)
    assert code_of(caught) == "LED-001"


def test_an_unknown_name_is_a_problem(ledger: Ledger) -> None:
    for ask in (ledger.secret, ledger.public):
        with pytest.raises(ProblemsFoundError) as caught:
            ask("wireguard/nobody-1")
        assert code_of(caught) == "LED-009"


def test_opening_what_does_not_exist_writes_nothing(state: Path) -> None:
    with pytest.raises(ProblemsFoundError) as caught:
        Ledger.open(state)
    assert code_of(caught) == "LED-002"
    assert not state.exists()


def test_many_at_once_make_one_pair(ledger: Ledger, state: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(Ledger.create(state).ensure_keypair("wireguard/edge-1", "wireguard"))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [ledger.public("wireguard/edge-1")] * 8


def test_secret_for_reads_the_environment_below_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(module.STATE_DIR_VARIABLE, str(tmp_path))
    made = Ledger.create(tmp_path / "trial")
    made.ensure_keypair("wireguard/edge-1", Kind.WIREGUARD)
    assert module.secret_for("trial", "wireguard/edge-1") == made.secret("wireguard/edge-1").decode()
    with pytest.raises(ProblemsFoundError) as caught:
        module.secret_for("../trial", "wireguard/edge-1")
    assert code_of(caught) == "LED-001"


def test_a_public_key_is_what_ssh_keygen_makes_of_the_private_one(ledger: Ledger, tmp_path: Path) -> None:
    keygen = shutil.which("ssh-keygen")
    if keygen is None:
        pytest.skip("ssh-keygen is not on this machine")
    public = ledger.ensure_keypair("ssh/operator", Kind.SSH)
    private = tmp_path / "key"
    private.write_bytes(ledger.secret("ssh/operator"))
    private.chmod(0o600)
    told = subprocess.run([keygen, "-y", "-f", str(private)], check=True, capture_output=True, text=True)
    assert told.stdout.split()[:2] == public.split()[:2]
