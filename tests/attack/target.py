"""The server that is attacked, and raw requests to it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from whole.server import Server


@dataclass(frozen=True)
class Target:
    server: Server
    port: int
    account_id: str
    token: str
    """For event sockets."""
    key: str
    """Of /v1, with every scope."""
    internal: str
    """The token of ``/internal``."""

    async def raw(self, *parts: bytes, address: str = "127.0.0.1", patience: float = 1) -> bytes:
        """All that comes back to these bytes until the server closes, or says no more for so many seconds."""
        said = b""
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, local_addr=(address, 0)
            )
        except OSError:
            return said
        try:
            for part in parts:
                writer.write(part)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(15):
                    while piece := await asyncio.wait_for(reader.read(65536), patience):
                        said += piece
        except OSError:
            pass
        finally:
            writer.close()
        return said

    async def status(self, method: str, target: str, *headers: str, version: str = "1.1") -> int:
        """Of the one answer; 0 where there is none."""
        lines = (f"{method} {target} HTTP/{version}", *headers, "Connection: close", "", "")
        return status_of(await self.raw("\r\n".join(lines).encode("latin-1")))

    @property
    def host(self) -> str:
        return f"Host: 127.0.0.1:{self.port}"


def status_of(answer: bytes) -> int:
    line = answer.split(b"\r\n", 1)[0].split(b" ")
    return int(line[1]) if len(line) > 1 and line[1].isdigit() else 0
