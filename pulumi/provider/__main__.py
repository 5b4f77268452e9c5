"""Entry of the plugin: `python -m provider <engine address>`."""

import asyncio
import contextlib
import sys

from provider.server import serve

if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(next((text for text in sys.argv[1:] if not text.startswith("-")), "")))
