"""What is there on hosts: one program for each over SSH, standard library only, nothing left behind."""

from __future__ import annotations

import base64
import binascii
import json
import subprocess
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from province.look import Ask

PROGRAM = Path(__file__).with_name("probe.py")
AT_ONCE = 4  # the controller packs what it sends, hosts of a lab share its cores
WITHIN = 240  # seconds, by far: a host in trouble is slow


def look(asked: Mapping[str, Mapping[str, Any]], ask: Ask) -> tuple[dict[str, Any], dict[str, str]]:
    """What the hosts say, and why those that said nothing could not be looked at."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        answers = list(pool.map(lambda name: _one(name, asked[name], ask), asked))
    seen = {name: said for name, said, _ in answers if said is not None}
    return seen, {name: why for name, said, why in answers if said is None}


def program_text(asked: Mapping[str, Any]) -> str:
    """The program for a host, with what it is asked."""
    return f"{PROGRAM.read_text(encoding='utf-8')}\n\nmain({packed(asked)!r})\n"


def _one(host: str, asked: Mapping[str, Any], ask: Ask) -> tuple[str, Any, str]:
    try:
        return host, unpacked(ask(host, program_text(asked))), ""
    except subprocess.TimeoutExpired as error:
        return host, None, f"no answer within {error.timeout:g} s"
    except OSError as error:
        return host, None, str(error)
    except (ValueError, zlib.error, binascii.Error) as error:
        return host, None, f"its answer is not to be read: {error}"


def packed(content: Any) -> str:
    """Content as it goes over the line."""
    return base64.b64encode(zlib.compress(json.dumps(content).encode())).decode()


def unpacked(line: str) -> Any:
    """What came over the line."""
    return json.loads(zlib.decompress(base64.b64decode(line.strip(), validate=True)))
