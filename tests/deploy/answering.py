"""Answers at ports, in a network namespace of its own: ``python answering.py TCP,TCP,… UDP,UDP,… ADDRESS …``."""

from __future__ import annotations

import asyncio
import sys


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.transport.sendto(data, address)


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def main() -> None:
    loop = asyncio.get_running_loop()
    tcp, udp, *addresses = sys.argv[1:]
    for address in addresses:
        for port in map(int, tcp.split(",")):
            await asyncio.start_server(hold, address, port, backlog=1000)
        for port in map(int, udp.split(",")):
            await loop.create_datagram_endpoint(Echo, local_addr=(address, port))
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
