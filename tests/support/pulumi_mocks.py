"""Runs a Pulumi program without engine and without provider, and says what it registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.runtime import mocks


class _Recorder(mocks.Mocks):
    def __init__(self) -> None:
        self.made: list[mocks.MockResourceArgs] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.made.append(args)
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program calls nothing, yet {args.token}")


def made_by(program: Callable[[], object]) -> list[mocks.MockResourceArgs]:
    """Run a program with mocks; what it registers, components too, in the order it did."""
    recorder = _Recorder()
    mocks.set_mocks(recorder, project="province", stack="trial")

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # the SDK's has no types
    def run() -> None:
        program()

    run()
    return recorder.made


def of_type(made: list[mocks.MockResourceArgs], token: str) -> dict[str, dict[str, Any]]:
    """Name → inputs of the resources of one type, whose names must differ."""
    found = {args.name: args.inputs for args in made if args.typ == token}
    assert len(found) == sum(args.typ == token for args in made)
    return found
