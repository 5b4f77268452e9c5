"""The program: from an environment and its plan to components. No address is computed here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pulumi

from province.hosts import Environment, instances, load_environment, networks, plan_for
from province.incus import Endpoint
from province.ledger import state_dir
from province.plan.model import Plan
from province_stack.estate import PROFILE, Estate, EstateArgs, ImageArgs
from province_stack.host import HostArgs, Nic
from province_stack.segment import SegmentArgs

NOTHING_TO_MAKE = "The hosts of this environment exist: the stack makes nothing (provider: none)."


class HostImage(Protocol):
    """The host image as it is built: two tarballs, and what is in them."""

    @property
    def rootfs(self) -> Path: ...  # noqa: D102 - see the class

    @property
    def metadata(self) -> Path: ...  # noqa: D102 - see the class

    @property
    def identity(self) -> str: ...  # noqa: D102 - see the class


def province_program(environment: Environment, plan: Plan, image: HostImage | None) -> Callable[[], None]:
    """Return the program that describes an environment. `image` may be None with `provider: none`."""

    def program() -> None:
        if environment.provider == "none":
            pulumi.export("message", NOTHING_TO_MAKE)
            return
        if image is None:
            raise ValueError("an environment on Incus needs the host image")
        estate = Estate(environment.name, estate_args(environment, plan, image))
        pulumi.export("segments", sorted(estate.segments))
        pulumi.export("hosts", sorted(estate.hosts))

    return program


def from_environment_file(path: Path) -> Callable[[], None]:
    """Return the program of an environment file, with the host image of this machine's cache."""
    from province.lab.image import cached_image  # only an environment on Incus has one

    environment = load_environment(path)
    image = None if environment.provider == "none" else cached_image()
    return province_program(environment, plan_for(environment), image)


def estate_args(environment: Environment, plan: Plan, image: HostImage) -> EstateArgs:
    """Turn hosts and networks of a plan into the arguments of the estate."""
    incus = environment.incus
    return EstateArgs(
        province=plan.province,
        endpoint=Endpoint.of(incus.endpoint, state_dir(environment.name) / "incus"),
        project=incus.project,
        pool=incus.pool,
        own_pool=incus.own_pool,
        image=ImageArgs(
            alias=incus.image,
            metadata=str(image.metadata.absolute()),
            rootfs=str(image.rootfs.absolute()),
            identity=image.identity,
        ),
        segments=tuple(
            SegmentArgs(
                name=network.name,
                kind=network.kind,
                description=f"{plan.province}: {', '.join(network.segment_ids[:4])}"
                + (" …" if len(network.segment_ids) > 4 else ""),
                address4=network.address4,
                address6=network.address6,
                routes4=tuple(network.routes4),
                routes6=tuple(network.routes6),
            )
            for network in networks(environment, plan)
        ),
        hosts=tuple(
            HostArgs(
                province=plan.province,
                name=instance.name,
                project=incus.project,
                image=incus.image,
                profile=PROFILE,
                nics=tuple(Nic(name=device, network=network) for device, network in instance.nics),
                memory=instance.memory,
                needs=tuple(instance.needs),
                target=instance.target,
            )
            for instance in instances(environment, plan)
        ),
    )
