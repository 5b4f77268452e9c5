"""Machines and networks against the plan: a preview of the stack, and what Incus holds beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from province.drift.findings import ESTATE, Finding
from province.incus import Endpoint, Incus
from province.lab.engine import engine_root
from province.lab.image import cached_image
from province.lab.places import reach_stack
from province.lab.sweep import Contents, Ours, look
from province.ledger import state_dir

if TYPE_CHECKING:
    from province.hosts import Environment
    from province.plan.model import Plan
    from province_stack.runner import Difference

_WORDS = {
    "create": ("is not there", "there"),
    "delete": ("is there", "nothing: the plan has none"),
    "update": ("is other than planned", "as planned"),
}
_SERIAL = "image.serial"


def incus_of(environment: Environment) -> Incus:
    """The client of the environment's Incus."""
    return Incus(Endpoint.of(environment.incus.endpoint, state_dir(environment.name)))


def identities(environment: Environment) -> dict[str, str]:
    """By instance, the image that it was made of."""
    if environment.provider == "none":
        return {}
    incus = incus_of(environment)
    try:
        found = incus.find("/instances", project=environment.incus.project, parameters={"recursion": "1"})
    finally:
        incus.close()
    return {
        str(one["name"]): str(one["config"].get(_SERIAL, "")) for one in (found.metadata if found else [])
    }


def look_at_estate(environment: Environment, plan: Plan, progress: Callable[[str], None]) -> list[Finding]:
    """Everything of the estate that is other than planned."""
    engine = engine_root()
    if engine is None or environment.provider == "none":
        return []
    reach_stack()
    from province_stack.runner import Stack

    stack = Stack.of(environment, plan, cached_image(), engine=engine, progress=progress)
    summary = stack.preview()
    incus = incus_of(environment)
    settings = environment.incus
    ours = Ours(
        environment=environment.name, project=settings.project, pool=settings.pool, prefix=settings.prefix
    )
    try:
        contents = look(incus, ours)
    finally:
        incus.close()
    known = {str(resource.get("id", "")).rpartition("/")[2] for resource in stack.resources()}
    return [*differing(summary.differences), *beside(contents, ours, known)]


def differing(differences: Iterable[Difference]) -> Iterator[Finding]:
    """What the stack would make, change or remove."""
    for one in differences:
        if one.noun == "image":  # a newer image is made for hosts to come; those that are there keep theirs
            continue
        found, wanted = _WORDS.get(one.operation, ("is to be made again", "as planned"))
        keys = f" ({', '.join(one.keys)})" if one.keys else ""
        instance = one.noun == "instance"
        yield Finding(
            host=one.name if instance else ESTATE,
            kind=one.noun,
            subject=one.name,
            found=f"the {one.noun} {one.name} {found}{keys}",
            wanted=wanted,
            healer="up",
        )


def beside(contents: Contents, ours: Ours, known: set[str]) -> Iterator[Finding]:
    """What Incus holds in our project, and under our names, that the stack has not made."""
    project = f" --project {ours.project}"
    for item in (*contents.inside, *contents.networks):
        network = item.noun == "network"
        if network and not ours.named(item.name):
            continue
        if item.name in known or (item.noun, item.name) == ("profile", "default") or item.noun == "image":
            continue
        verb = {"instance": f"incus delete --force{project}", "network": "incus network delete"}.get(
            item.noun, f"incus {item.noun} delete{project}"
        )
        yield Finding(
            host=ESTATE,
            kind=item.noun,
            subject=item.name,
            found=f"there is {'an' if item.noun == 'instance' else 'a'} {item.noun} {item.name} in Incus",
            wanted="what the plan has, and nothing beside it in our project or under our names",
            command=f"{verb} {item.name}",
            look=True,
        )
