"""``python -m bench.own_click PORT ARI_PORT`` (ARI's password, app, secret and SIP user as JSON on stdin): what a user would write.

Click-to-call by FastAPI, uvicorn and ARI over a kept-alive httpx client: the hash is checked, the body is a
model, the device's password is compared, Asterisk originates. There is no database: a kill loses what was asked
for, and nobody knows afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sys
from typing import Annotated

import httpx
import msgspec
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field


class Told(msgspec.Struct):
    """What it knows without a database."""

    ari_password: str
    app_id: str
    secret: str
    sip_user: str
    sip_password: str


class Wanted(BaseModel):
    """The request's body."""

    sip_user: str = Field(alias="sipUser")
    sip_password: str = Field(alias="sipPassword")


def application(ari: str, told: Told) -> FastAPI:
    """One route."""
    app = FastAPI(openapi_url=None)
    asterisk = httpx.AsyncClient(base_url=ari, auth=("trunkline", told.ari_password))
    right = hashlib.sha256(f"{told.app_id}{told.secret}".encode()).hexdigest()

    @app.post("/click-to-call/{number}")
    async def click(
        number: str,
        wanted: Wanted,
        app_id: Annotated[str, Header(alias="x-auth-app-id")],
        given: Annotated[str, Header(alias="x-auth-app-hash")],
    ) -> dict[str, str | bool]:
        if app_id != told.app_id or not hmac.compare_digest(given, right):
            raise HTTPException(403)
        if (wanted.sip_user, wanted.sip_password) != (told.sip_user, told.sip_password):
            raise HTTPException(403)
        call_id = secrets.token_hex(16)
        call = {"endpoint": f"PJSIP/{wanted.sip_user}", "context": "click", "priority": 1}
        more = {"extension": number, "timeout": 30, "channelId": call_id, "callerId": number}
        answer = await asterisk.post("/ari/channels", json=call | more)
        answer.raise_for_status()
        return {"success": True, "message": "OK", "call_id": call_id}

    return app


def main() -> None:
    told = msgspec.json.decode(sys.stdin.readline(), type=Told)
    uvicorn.run(
        application(f"http://127.0.0.1:{sys.argv[2]}", told),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
