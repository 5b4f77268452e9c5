"""Everything an environment has in Incus, under one component."""

from __future__ import annotations

from dataclasses import dataclass

from pulumi import ComponentResource, ResourceOptions

from province.incus import Endpoint
from province_stack.host import HostArgs, HostInstance
from province_stack.incus import Image, Profile, Project, Provider, StoragePool
from province_stack.segment import Segment, SegmentArgs

PROFILE = "province"


@dataclass(frozen=True, kw_only=True)
class ImageArgs:
    """The host image: two tarballs on this machine, and what is in them (recipe and packages)."""

    alias: str
    metadata: str
    rootfs: str
    identity: str


@dataclass(frozen=True, kw_only=True)
class EstateArgs:
    """An environment's estate. `own_pool`: the pool is made and removed with it, else it is there."""

    province: str
    endpoint: Endpoint
    project: str
    pool: str
    own_pool: bool
    image: ImageArgs
    segments: tuple[SegmentArgs, ...]
    hosts: tuple[HostArgs, ...]


class Estate(ComponentResource):
    """Project, pool, image, profile, segments and hosts, in the order they depend on each other."""

    def __init__(self, name: str, args: EstateArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("province:estate:Estate", name, None, opts)
        check(args)
        provider = Provider(f"{name}-incus", args.endpoint, ResourceOptions(parent=self))
        here = ResourceOptions(parent=self, provider=provider)
        project = Project(
            args.project,
            description=args.province,
            config={"features.images": "true", "features.profiles": "true", "features.networks": "false"},
            opts=here,
        )
        pool = (
            [StoragePool(args.pool, driver="dir", description=args.province, opts=here)]
            if args.own_pool
            else []
        )
        inside = ResourceOptions.merge(here, ResourceOptions(depends_on=[project, *pool]))
        image = Image(
            args.image.alias,
            project=args.project,
            identity=args.image.identity,
            description=f"Host of {args.province}",
            metadata=args.image.metadata,
            rootfs=args.image.rootfs,
            opts=inside,
        )
        profile = Profile(
            PROFILE,
            project=args.project,
            description=f"What every host of {args.province} has",
            config={"boot.autostart": "true", "security.privileged": "false"},
            devices={"root": {"type": "disk", "path": "/", "pool": args.pool}},
            opts=inside,
        )
        below = ResourceOptions(parent=self, providers={"incus": provider})
        self.segments = {segment.name: Segment(segment.name, segment, below) for segment in args.segments}
        self.hosts = {
            host.name: HostInstance(
                host.name,
                host,
                ResourceOptions.merge(
                    below,
                    ResourceOptions(
                        depends_on=[
                            image,
                            profile,
                            *(self.segments[nic.network].bridge for nic in host.nics),
                        ]
                    ),
                ),
            )
            for host in args.hosts
        }
        self.register_outputs({"segments": len(self.segments), "hosts": len(self.hosts)})


def check(args: EstateArgs) -> None:
    """Refuse what could only fail half way: a bridge nobody makes, a MAC or a name used twice."""
    networks = [segment.name for segment in args.segments]
    names = [host.name for host in args.hosts]
    for what, values in (("bridge", networks), ("host", names)):
        double = sorted({value for value in values if values.count(value) > 1})
        if double:
            raise ValueError(f"the {what} {', '.join(double)} is planned twice")
    for host in args.hosts:
        missing = sorted({nic.network for nic in host.nics} - set(networks))
        if missing:
            raise ValueError(f"{host.name} hangs on {', '.join(missing)}, which no segment makes")
