"""A broadcast domain as a bridge of the Incus host."""

from __future__ import annotations

from dataclasses import dataclass

from pulumi import ComponentResource, ResourceOptions

from province_stack.incus import Network

KINDS = ("isolated", "uplink", "management")


@dataclass(frozen=True, kw_only=True)
class SegmentArgs:
    """One bridge.

    `kind`: `isolated` (no address of the host's: it must not route, serve or announce between
    segments), `uplink` (the host is gateway, NAT and resolver: packages come in through it) or
    `management` (the host has an address and nothing else). `address4`/`address6` are the host's own,
    in CIDR, None where it has none; `routes4`/`routes6` the prefixes it reaches over the bridge.
    """

    name: str
    kind: str
    description: str
    address4: str | None = None
    address6: str | None = None
    routes4: tuple[str, ...] = ()
    routes6: tuple[str, ...] = ()


class Segment(ComponentResource):
    """A broadcast domain, with its bridge in `bridge`."""

    def __init__(self, name: str, args: SegmentArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("province:network:Segment", name, None, opts)
        self.bridge = Network(
            args.name,
            description=args.description,
            config=bridge_config(args),
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({"bridge": args.name, "kind": args.kind})


def bridge_config(args: SegmentArgs) -> dict[str, str]:
    """Return the Incus config of a segment's bridge. Every key that Incus would make up is written out.

    Where the host has an IPv6 address Incus always announces the prefix; a router lifetime of 0 keeps
    the host from becoming anybody's default router by that.
    """
    if args.kind not in KINDS:
        raise ValueError(f"{args.name}: kind {args.kind!r} is none of {', '.join(KINDS)}")
    config = {"ipv4.address": args.address4 or "none", "ipv6.address": args.address6 or "none"}
    if args.kind == "isolated":
        if args.address4 or args.address6:
            raise ValueError(f"{args.name}: the host has no address on an isolated bridge")
        return config
    for family, address, routes in (
        ("ipv4", args.address4, args.routes4),
        ("ipv6", args.address6, args.routes6),
    ):
        if address is None:
            continue
        config[f"{family}.dhcp"] = "false"
        config[f"{family}.nat"] = "true" if args.kind == "uplink" else "false"
        if args.kind == "management":
            # Incus keeps a bridge from being routed by rules of its firewall: without them the word alone
            # does nothing, and what comes in by the uplink goes on into management in the host's own name.
            config[f"{family}.routing"] = "false"
            config[f"{family}.firewall"] = "true"
        if routes:
            config[f"{family}.routes"] = ",".join(routes)
    if args.address6 is not None:
        config["raw.dnsmasq"] = f"ra-param={args.name},0,0"
    config["dns.mode"] = "managed" if args.kind == "uplink" else "none"
    return config
