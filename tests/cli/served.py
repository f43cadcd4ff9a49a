"""The real application on a real port, over an office's database: no engine, all else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from trunkline.api.http.deps import ApiDeps
from trunkline.bus.local import LocalBus
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_call import Node
from trunkline.server import server_file
from trunkline.server.listening import web_server
from trunkline.server.settings import Settings
from trunkline.server.wiring import doors as web_parts
from trunkline.server.wiring import webhooks as webhook_parts
from trunkline.store.sqlite import open_database
from trunkline.work.deliver.trigger_event import TriggerEvent
from trunkline.work.deliver.try_webhook import TryWebhook
from trunkline.work.manage.webhooks import ManageWebhooks

from .office import Office


def now() -> int:
    return time.time_ns() // 1000


async def nothing(*_: Any) -> Any:
    return None


class Served:
    """A server in a thread of its own, which can be stopped and started again on its port."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._thread: threading.Thread | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        # Bound here: a port that was only found free may be somebody else's by now.
        listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.port = listener.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(listener, ready)), daemon=True
        )
        self._thread.start()
        while not ready.wait(0.1):
            assert self._thread.is_alive()

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(30)
            assert not self._thread.is_alive()
            self._thread = None

    async def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        db = open_database(self._office.file, self._office.key)
        try:
            web = self._application(db)
            server = web_server(Settings(), web.live, web.addresses)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
                await asyncio.sleep(0.005)
            told = server_file.ServerFile(self.url, "internal-token", os.getpid())
            file = self._office.data / server_file.NAME
            file.write_bytes(msgspec.json.encode(told))
            ready.set()
            await self._stop.wait()
            file.unlink()
            web.end_polls()
            await web.live.close()
            server.should_exit = True
            await serving
        finally:
            await db.close()

    def _application(self, db: Any) -> web_parts.Web:
        bus = LocalBus()
        trigger = TriggerEvent(db.events, bus, Node("trunkline", "tl1"), now, MessageIds(now))
        post = webhook_parts.post(Settings(), now)
        deps = ApiDeps(
            db=db,
            place_call=nothing,
            store=None,  # type: ignore[arg-type]
            vital_signs=None,  # type: ignore[arg-type]
            sync=nothing,
            trigger_event=trigger,
            manage_webhooks=ManageWebhooks(db, post.check, b"s" * 32, now),
            try_webhook=TryWebhook(db, post, now),
            transfer_call=nothing,
            sync_token="internal-token",
            url_key=b"k" * 32,
            answers_key=b"a" * 32,
            bus=bus,
            clock=now,
        )
        return web_parts.web(Settings(), deps)


class Cutting:
    """A proxy whose connections break after so many bytes from the server."""

    def __init__(self, port: int, after: Callable[[], int]) -> None:
        self._port, self._after = port, after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._carry, args=(client, self._after()), daemon=True).start()

    def _carry(self, client: socket.socket, left: int) -> None:
        server = socket.create_connection(("127.0.0.1", self._port))
        threading.Thread(target=self._back, args=(client, server), daemon=True).start()
        while left > 0 and (read := server.recv(min(left, 65536))):
            client.sendall(read)
            left -= len(read)
        for each in (client, server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while read := client.recv(65536):
                server.sendall(read)
        except OSError:
            return


class Tailing:
    """A command that follows events in a process of its own."""

    def __init__(self, *words: str, **env: str) -> None:
        program = (sys.executable, "-c", "from trunkline.cli import main; main()")
        self.process = subprocess.Popen(
            [*program, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env},
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def next(self) -> Any:
        return json.loads(self._lines.get(timeout=60))

    def end(self) -> tuple[int, list[Any], str]:
        """After Ctrl-C: (exit status, what else was printed, what was said on stderr)."""
        if self.process.poll() is None:
            self.process.send_signal(2)
        status = self.process.wait(60)
        self._reader.join(60)
        assert self.process.stderr
        rest = [json.loads(self._lines.get()) for _ in range(self._lines.qsize())]
        return status, rest, self.process.stderr.read()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)


Start = Callable[..., Tailing]
