"""The Pulumi side of the provider: requests of the engine to `provider.resources`, and back.

Started by the engine as `pulumi-resource-incus <engine address>`; it prints the port it serves.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc  # type: ignore[import-untyped]  # ships no types
import grpc.aio  # type: ignore[import-untyped]  # the same
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc

from provider.resources import KINDS, Field, Kind
from province.incus import JSON, Endpoint, Incus, IncusError

VERSION = "1.0.0"
_PARENT_CHECK = 1.0  # seconds
_PARALLEL = 8  # requests under way at once; the unpacking of images is what takes the time

T = TypeVar("T")


class IncusProvider(sdk.Provider):
    """Projects, storage pools, networks, profiles, images and instances of one Incus."""

    def __init__(self, connect: Callable[[Endpoint], Incus] = Incus) -> None:
        self._connect = connect
        self._incus: Incus | None = None
        self._threads = ThreadPoolExecutor(_PARALLEL)

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Take the endpoint from the provider resource's arguments."""
        given = plain_map(request.args)
        self._incus = self._connect(
            Endpoint(
                address=given.get("endpoint") or "unix",
                certificate=given.get("certificate") or "",
                key=given.get("key") or "",
                server_certificate=given.get("serverCertificate") or "",
            )
        )
        return sdk.ConfigureResponse(accept_secrets=False, supports_preview=True)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Validate inputs and fill in defaults."""
        inputs, failures = _kind(request.type).check(plain_map(request.new_inputs))
        return sdk.CheckResponse(
            inputs=property_map(inputs),
            failures=[sdk.CheckFailure(failure.property, failure.reason) for failure in failures],
        )

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Compare what was last seen in Incus with what is wanted."""
        kind = _kind(request.type)
        differing = differences(kind, plain_map(request.old_state), plain_map(request.new_inputs))
        differing = {
            path: replaces
            for path, replaces in differing.items()
            if path.split(".")[0].split("[")[0] not in request.ignore_changes
        }
        replace = sdk.PropertyDiffKind.UPDATE_REPLACE
        return sdk.DiffResponse(
            changes=bool(differing),
            replaces=[path for path, replaces in differing.items() if replaces],
            # Names are fixed by the plan: the old object must be gone before the new one can be.
            delete_before_replace=True,
            diffs=list(differing),
            detailed_diff={
                path: sdk.PropertyDiff(replace if replaces else sdk.PropertyDiffKind.UPDATE, False)
                for path, replaces in differing.items()
            },
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make or take over; in a preview only say whether the name is free."""
        kind, inputs = _kind(request.type), plain_map(request.properties)
        if request.preview:
            await self._do(lambda incus: kind.refusal(incus, inputs, request.urn))
            return sdk.CreateResponse(properties=property_map(inputs))
        timeout = request.timeout or kind.timeout
        state = await self._do(lambda incus: kind.create(incus, inputs, request.urn, timeout))
        return sdk.CreateResponse(resource_id=kind.id_of(inputs), properties=property_map(state))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """Look at the object, for refresh (its inputs are known) and import (only its id is)."""
        kind = _kind(request.type)
        known = plain_map(request.inputs) or plain_map(request.properties)
        state = await self._do(lambda incus: kind.read(incus, request.resource_id, known, request.urn))
        if state is None:
            return sdk.ReadResponse()
        inputs = {name: state[name] for name in kind.fields}
        return sdk.ReadResponse(request.resource_id, property_map(state), property_map(inputs))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Change an object in place."""
        kind, inputs = _kind(request.type), plain_map(request.news)
        if request.preview:
            return sdk.UpdateResponse(property_map({**plain_map(request.olds), **inputs}))
        timeout = request.timeout or kind.timeout
        state = await self._do(lambda incus: kind.update(incus, inputs, request.urn, timeout))
        return sdk.UpdateResponse(property_map(state))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Remove an object."""
        kind, state = _kind(request.type), plain_map(request.properties)
        timeout = request.timeout or kind.timeout
        await self._do(lambda incus: kind.delete(incus, request.resource_id, state, request.urn, timeout))

    async def _do(self, work: Callable[[Incus], T]) -> T:
        """Run blocking work in a thread, so that the engine's parallel requests stay parallel."""
        incus = self._incus
        if incus is None:
            raise IncusError("The provider was not configured with an endpoint.")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, incus)


def differences(kind: Kind, state: JSON, inputs: JSON) -> dict[str, bool]:
    """Return the property paths in which `inputs` differ from `state`, and whether each replaces."""
    found: dict[str, bool] = {}
    for name, field in kind.fields.items():
        if field.change == "ignore":
            continue
        for path in _paths(name, field, state.get(name, field.default), inputs.get(name, field.default)):
            found[path] = field.change == "replace"
    if not state.get("marked", True):
        found["marked"] = False
    return found


def _paths(name: str, field: Field, old: Any, new: Any) -> list[str]:
    if field.kind not in ("config", "devices"):
        return [] if old == new else [name]
    old, new = old or {}, new or {}
    return [f'{name}["{key}"]' for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


def plain(value: PropertyValue) -> Any:
    """Turn a property value into plain data; numbers stay floats, what is not known stays its text."""
    inner = value.value
    if isinstance(inner, Mapping):
        return plain_map(inner)
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [plain(item) for item in inner]
    return inner


def plain_map(values: Mapping[str, PropertyValue]) -> JSON:
    """Turn a map of property values into plain data, without the engine's own `__` keys."""
    return {key: plain(value) for key, value in values.items() if not key.startswith("__")}


def property_value(value: Any) -> PropertyValue:
    """Turn plain data into a property value."""
    if isinstance(value, dict):
        return PropertyValue(property_map(value))
    if isinstance(value, list | tuple):
        return PropertyValue([property_value(item) for item in value])
    return PropertyValue(value)


def property_map(values: JSON) -> dict[str, PropertyValue]:
    """Turn a mapping of plain data into property values."""
    return {key: property_value(value) for key, value in values.items()}


def _kind(token: str) -> Kind:
    # The type in a URN is qualified by the types of the parents: province:compute:Host$incus:index:Instance
    kind = KINDS.get(token.rsplit("$", 1)[-1])
    if kind is None:
        raise IncusError(f"The provider has no type {token}; it has {', '.join(KINDS)}.")
    return kind


class _Servicer(ProviderServicer):
    """Answers a refusal with its sentence alone; the SDK would wrap it in the name of its class."""


def _with_sentences(name: str) -> None:
    inner = getattr(ProviderServicer, name)

    async def call(self: ProviderServicer, request: Any, context: Any) -> Any:
        try:
            return await inner(self, request, context)
        except IncusError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))

    setattr(_Servicer, name, call)


for _verb in ("Configure", "Check", "Diff", "Create", "Read", "Update", "Delete"):
    _with_sentences(_verb)


async def serve(engine_address: str) -> None:
    """Serve the provider on a free port of the loopback interface until the engine ends it.

    An engine that was killed ends nothing: the provider then goes when it sees that it was orphaned.
    """
    engine = os.getppid()
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    servicer = _Servicer([], VERSION, IncusProvider(), engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while os.getppid() == engine:
        await asyncio.sleep(_PARENT_CHECK)
    await server.stop(grace=0)
