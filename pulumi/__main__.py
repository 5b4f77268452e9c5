"""Entry for the official CLI: `pulumi up` in this folder, with the environment's name as stack name."""

import sys
from pathlib import Path

import pulumi

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "pulumi")]

from province_stack.program import from_environment_file  # noqa: E402 - needs the path above

if __name__ == "__main__":
    from_environment_file(ROOT / "inventories" / pulumi.get_stack() / "environment.yml")()
