"""``python -m bench.histories.memory PORT CORE FILE``: the same bytes by FastAPI and uvicorn, from memory.

The least that a Python web service would do for ``GET /oapi/v1/call/histories``: take the six
parameters of the query, and give the answer that it has. No database, no hash, no rights, no links.
``/bytes`` has the answer's bytes, ``/records`` the records, which FastAPI makes the same bytes of.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Query, Response

AppId = Annotated[str, Query(alias="appId")]
Hash = Annotated[str, Query(alias="hash")]


def application(body: bytes) -> FastAPI:
    """Both routes, with parameters as FastAPI checks them."""
    app, records = FastAPI(openapi_url=None), json.loads(body)

    @app.get("/bytes")
    async def as_bytes(
        created_from: str,
        created_to: str,
        app_id: AppId,
        given: Hash,
        limit: int = 20,
        page: int = 1,
    ) -> Response:
        return Response(body, media_type="application/json")

    @app.get("/records")
    async def as_records(
        created_from: str,
        created_to: str,
        app_id: AppId,
        given: Hash,
        limit: int = 20,
        page: int = 1,
    ) -> Any:
        return records

    return app


def main() -> None:
    port, file = int(sys.argv[1]), Path(sys.argv[3])
    os.sched_setaffinity(0, {int(sys.argv[2])})
    uvicorn.run(
        application(file.read_bytes()),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
