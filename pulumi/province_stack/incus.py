"""The provider's resources as classes. The names of the inputs are those of `provider.resources`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from province.incus import Endpoint

Config = Mapping[str, str]


class Provider(pulumi.ProviderResource):
    """One Incus: the socket of this machine, or a cluster over HTTPS."""

    def __init__(self, name: str, endpoint: Endpoint, opts: pulumi.ResourceOptions | None = None) -> None:
        given = {
            "endpoint": endpoint.address,
            "certificate": endpoint.certificate,
            "key": endpoint.key,
            "serverCertificate": endpoint.server_certificate,
        }
        super().__init__("incus", name, {key: value for key, value in given.items() if value}, opts)


class Project(pulumi.CustomResource):
    """A space of instances, images and profiles of its own."""

    def __init__(
        self, name: str, *, description: str, config: Config, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        given = {"name": name, "description": description, "config": dict(config)}
        super().__init__("incus:index:Project", name, given, opts)


class StoragePool(pulumi.CustomResource):
    """Where root disks are kept."""

    def __init__(
        self, name: str, *, driver: str, description: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        given = {"name": name, "driver": driver, "description": description, "config": {}}
        super().__init__("incus:index:StoragePool", name, given, opts)


class Network(pulumi.CustomResource):
    """A bridge of the Incus host. Bridges are shared by all projects: Incus keeps them in `default`."""

    def __init__(
        self, name: str, *, description: str, config: Config, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        given = {
            "name": name,
            "project": "default",
            "type": "bridge",
            "description": description,
            "config": dict(config),
        }
        super().__init__("incus:index:Network", name, given, opts)


class Profile(pulumi.CustomResource):
    """Config and devices that the instances of a project share."""

    def __init__(
        self,
        name: str,
        *,
        project: str,
        description: str,
        config: Config,
        devices: Mapping[str, Config],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given = {
            "name": name,
            "project": project,
            "description": description,
            "config": dict(config),
            "devices": {device: dict(keys) for device, keys in devices.items()},
        }
        super().__init__("incus:index:Profile", name, given, opts)


class Image(pulumi.CustomResource):
    """A host image under an alias."""

    def __init__(
        self,
        alias: str,
        *,
        project: str,
        identity: str,
        description: str,
        metadata: str,
        rootfs: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given = {
            "alias": alias,
            "project": project,
            "identity": identity,
            "description": description,
            "metadata": metadata,
            "rootfs": rootfs,
        }
        super().__init__("incus:index:Image", alias, given, opts)


class Instance(pulumi.CustomResource):
    """A system container."""

    def __init__(
        self,
        name: str,
        *,
        project: str,
        image: str,
        target: str,
        description: str,
        profiles: Sequence[str],
        config: Config,
        devices: Mapping[str, Config],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given = {
            "name": name,
            "project": project,
            "type": "container",
            "image": image,
            "target": target,
            "description": description,
            "profiles": list(profiles),
            "config": dict(config),
            "devices": {device: dict(keys) for device, keys in devices.items()},
            "state": "running",
        }
        super().__init__("incus:index:Instance", name, given, opts)
