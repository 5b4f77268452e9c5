"""A planned host as a system container."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pulumi import ComponentResource, ResourceOptions

from province_stack.incus import Instance

NEEDS = ("tun", "nesting")


@dataclass(frozen=True, kw_only=True)
class Nic:
    """An interface: its name inside the host, and the bridge it is plugged into."""

    name: str
    network: str


@dataclass(frozen=True, kw_only=True)
class HostArgs:
    """One machine.

    `province` and `name` fix the MAC addresses. `memory` as Incus writes it (`512MiB`). `needs`:
    `tun` (the device that userspace WireGuard opens), `nesting` (it runs containers itself).
    `target`: the member of a cluster it is placed on, "" anywhere.
    """

    province: str
    name: str
    project: str
    image: str
    profile: str
    nics: tuple[Nic, ...]
    memory: str
    needs: tuple[str, ...] = ()
    target: str = ""


class HostInstance(ComponentResource):
    """A planned host, with its container in `instance`."""

    def __init__(self, name: str, args: HostArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("province:compute:HostInstance", name, None, opts)
        unknown = set(args.needs) - set(NEEDS)
        if unknown:
            raise ValueError(f"{args.name}: needs {', '.join(sorted(unknown))}; known are {', '.join(NEEDS)}")
        config = {"limits.memory": args.memory}
        if "nesting" in args.needs:
            config["security.nesting"] = "true"
        self.instance = Instance(
            args.name,
            project=args.project,
            image=args.image,
            target=args.target,
            description=f"{args.name} ({args.province})",
            profiles=[args.profile],
            config=config,
            devices=devices(args),
            # What a component depends on its children do not inherit.
            opts=ResourceOptions(parent=self, depends_on=opts.depends_on if opts else None),
        )
        self.register_outputs({"instance": args.name})


def devices(args: HostArgs) -> dict[str, dict[str, str]]:
    """Return the devices of a host: one NIC for every interface of the plan, and what it needs."""
    found = {
        nic.name: {
            "type": "nic",
            "network": nic.network,
            "name": nic.name,
            "hwaddr": mac(args.province, args.name, nic.name),
        }
        for nic in args.nics
    }
    if len(found) != len(args.nics):
        raise ValueError(f"{args.name}: two interfaces have the same name")
    if "tun" in args.needs:
        found["tun"] = {"type": "unix-char", "source": "/dev/net/tun", "path": "/dev/net/tun"}
    return found


def mac(province: str, host: str, interface: str) -> str:
    """Return the MAC address of an interface: the same for ever, locally administered (02:…).

    40 bits of SHA-256 over `province/host/interface`: a rebuilt host keeps its leases and its
    neighbours' tables.
    """
    digest = hashlib.sha256(f"{province}/{host}/{interface}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (2, *digest[:5]))
