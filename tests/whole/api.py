"""The Open API from outside: every hash is computed here anew, from the contract alone."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

import httpx

from .waiting import until


def sha256(*parts: str) -> str:
    """Lower-case hex over the parts, joined with nothing between."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()


class Api:
    """One application of one account."""

    def __init__(self, url: str, account_id: str, app_id: str, secret: str) -> None:
        self.url, self.account_id, self.app_id, self.secret = url, account_id, app_id, secret
        self.http = httpx.AsyncClient(base_url=url, timeout=30)
        self.since = int(time.time()) - 60

    @property
    def headers(self) -> dict[str, str]:
        """What proves who asks, where it goes in headers."""
        return {"x-auth-app-id": self.app_id, "x-auth-app-hash": sha256(self.app_id, self.secret)}

    async def auth_token(self) -> httpx.Response:
        """1. Get Authentication Token."""
        return await self.http.post(
            "/oapi/v1/voice/auth_token", headers=self.headers | {"content-type": "application/json"}
        )

    async def click_to_call(
        self, number: str, sip_user: str, sip_password: str, key: str = "", client_ref: str = ""
    ) -> httpx.Response:
        """2. Click to Call."""
        body = {"sipUser": sip_user, "sipPassword": sip_password}
        body |= {"clientRef": client_ref} if client_ref else {}
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        url = f"/oapi/v1/call/click-to-call/{number}"
        return await self.http.post(url, json=body, headers=headers)

    async def histories(
        self, created_from: str, created_to: str, limit: str = "", page: str = ""
    ) -> httpx.Response:
        """3. Get Call History; ``limit`` and ``page`` are left out where they are empty."""
        sent = {"created_from": created_from, "created_to": created_to}
        sent |= {"limit": limit} if limit else {}
        sent |= {"page": page} if page else {}
        digest = sha256(self.app_id, *sent.values(), self.secret)
        sent |= {"appId": self.app_id, "hash": digest}
        return await self.http.get("/oapi/v1/call/histories", params=sent)

    async def play_recording(self, media: str) -> httpx.Response:
        """4. Get Call Recording."""
        digest = sha256(self.app_id, media, self.secret)
        sent = {"appId": self.app_id, "media": media, "hash": digest}
        return await self.http.get("/oapi/v1/call/play_recording", params=sent)

    async def history(self) -> list[dict[str, Any]]:
        """Every record since this object was made, newest first, from all the pages."""
        records: list[dict[str, Any]] = []
        begin, end = _iso(self.since), _iso(int(time.time()) + 3600)
        for page in range(1, 100):
            answer = await self.histories(begin, end, "100", str(page))
            assert answer.status_code == 200, answer.text
            records += answer.json()
            if len(records) >= int(answer.headers["X-Total-Count"]):
                break
        return records

    async def record(self, call_id: str, timeout: float = 20) -> dict[str, Any]:
        """Wait for the call's record; there may be only one."""

        async def found() -> list[dict[str, Any]]:
            return [one for one in await self.history() if one["call_id"] == call_id]

        records = await until(found, f"the record of call {call_id}", timeout, every=0.2)
        (record,) = records
        return dict(record)

    async def records(self, count: int, timeout: float = 20) -> list[dict[str, Any]]:
        """Wait until the history has that many records; newest first."""

        async def enough() -> list[dict[str, Any]]:
            records = await self.history()
            return records if len(records) >= count else []

        return await until(enough, f"{count} records", timeout, every=0.2)


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
