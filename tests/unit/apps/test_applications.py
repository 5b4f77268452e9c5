"""What a host lays down of its applications follows from records and files alone."""

from __future__ import annotations

from pathlib import Path

import yaml

from province.render.applications import application_tree, bridge_name, build_context, context_hash
from tests.support.small_province import KINDS, NORTH, PROVINCE, plan

APPS = Path(__file__).resolve().parents[3] / "apps"
START = yaml.safe_load((APPS / "start/app.yml").read_text(encoding="utf-8"))
TREE = application_tree(PROVINCE, (START,), KINDS, ["start"], APPS)


def test_an_image_is_named_by_its_context() -> None:
    context = build_context(APPS / "start", START["containers"]["web"])
    assert "Containerfile" in context
    assert TREE["containers"][0]["image"] == f"localhost/start-web:{context_hash(context)}"
    assert context_hash(context | {"nginx.conf": ""}) != context_hash(context)


def test_moving_a_byte_between_files_is_another_context() -> None:
    assert context_hash({"a": "xy", "b": ""}) != context_hash({"a": "x", "b": "y"})


def test_a_changed_register_is_no_other_image() -> None:
    smaller = application_tree(plan(NORTH, services=PROVINCE.services), (START,), KINDS, ["start"], APPS)
    assert smaller["containers"] == TREE["containers"]
    assert smaller["files"] != TREE["files"]


def test_every_file_is_in_a_folder_that_holds_nothing_else() -> None:
    folders = [folder["path"] for folder in TREE["folders"] if folder["exclusive"]]
    assert folders
    for file in TREE["files"]:
        assert sum(file["path"].startswith(f"{folder}/") for folder in folders) == 1


def test_rendered_volumes_are_read_only() -> None:
    (container,) = TREE["containers"]
    assert [(volume["path"], volume["writable"]) for volume in container["volumes"]] == [
        ("/srv/start", False)
    ]


def test_a_process_restarts_for_what_it_reads_at_its_start_only() -> None:
    (container,) = TREE["containers"]
    image, process = container["services"]
    assert image["watch"] == [container["context"]]
    (place,) = process["watch"]
    watched = [file["path"] for file in TREE["files"] if file["path"].startswith(f"{place}/")]
    assert watched == ["/srv/apps/start/pages/conf.d/units.conf"]


def test_the_name_of_a_bridge_fits_into_the_kernel_and_is_its_own() -> None:
    names = [bridge_name(app) for app in ("start", "public-services", "public-services-test")]
    assert names[0] == "pod-start"
    assert len(set(names)) == len(names)
    assert all(len(name) <= 15 for name in names)
