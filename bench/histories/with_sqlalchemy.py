"""``python -m bench.histories.with_sqlalchemy PORT CORE DATABASE`` (the app's secret on stdin): what a user would write.

FastAPI and SQLAlchemy do the same work on the same rows: find the app, check the hash, count the window,
read the page, and give the records as a response model. ``/threads`` is a plain function with a ``Session``,
which FastAPI runs in a thread; ``/async`` an ``AsyncSession`` (PostgreSQL only). It has the secret as plain
text, and neither rights, rates nor links.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sys
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI, HTTPException, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from trunkline.store.tables import accounts, apps, calls

AppId = Annotated[str, Query(alias="appId")]
Hash = Annotated[str, Query(alias="hash")]
_CONNECTIONS = 8  # to PostgreSQL, as many as ours


class Side(BaseModel):
    """A party."""

    number: str
    type: str
    username: str | None = None


class Record(BaseModel):
    """A call of the history."""

    caller: Side
    callee: Side
    class_: str = Field(serialization_alias="class")
    did_number: str | None
    direction: str
    status_detail: str
    duration_seconds: int
    unix_timestamp: int
    billing_seconds: int
    recording: str
    call_id: str


class Asked(BaseModel):
    """The query's parameters, as they were sent."""

    created_from: str
    created_to: str
    app_id: str
    given: str
    limit: int
    page: int


def _page(session: Session, secret: str, asked: Asked, response: Response) -> list[Record]:
    found = session.execute(
        sa.select(apps.c.id, apps.c.account_id)
        .join(accounts, accounts.c.id == apps.c.account_id)
        .where(apps.c.id == asked.app_id, apps.c.enabled, accounts.c.enabled)
    ).one_or_none()
    if found is None:
        raise HTTPException(404)
    fields = (asked.app_id, asked.created_from, asked.created_to, asked.limit, asked.page, secret)
    right = hashlib.sha256("".join(map(str, fields)).encode()).hexdigest()
    if not hmac.compare_digest(right, asked.given):
        raise HTTPException(403)
    low, high = _micros(asked.created_from), _micros(asked.created_to)
    window = (
        calls.c.account_id == found.account_id,
        calls.c.started_at >= low,
        calls.c.started_at < high,
    )
    total = session.scalar(sa.select(sa.func.count()).select_from(calls).where(*window))
    rows = session.execute(
        sa.select(
            calls.c.caller_number,
            calls.c.caller_username,
            calls.c.callee_number,
            calls.c.callee_username,
            calls.c["class"].label("class_"),
            calls.c.did_number,
            calls.c.direction,
            calls.c.status_detail,
            calls.c.duration_seconds,
            calls.c.started_at,
            calls.c.billing_seconds,
            calls.c.recording,
            calls.c.id,
        )
        .where(*window)
        .order_by(calls.c.started_at.desc(), calls.c.id.desc())
        .limit(asked.limit)
        .offset((asked.page - 1) * asked.limit)
    )
    response.headers["X-Total-Count"] = str(total)
    return [_record(row) for row in rows]


def _record(row: Any) -> Record:
    return Record(
        caller=_side(row.caller_number, row.caller_username),
        callee=_side(row.callee_number, row.callee_username),
        class_=row.class_,
        did_number=row.did_number,
        direction=row.direction,
        status_detail=row.status_detail,
        duration_seconds=row.duration_seconds,
        unix_timestamp=row.started_at // 1_000_000,
        billing_seconds=row.billing_seconds,
        recording=row.recording,
        call_id=row.id,
    )


def _side(number: str, username: str | None) -> Side:
    return Side(number=number, type="user" if username else "realnumber", username=username)


def _micros(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)


def application(where: str, secret: str) -> FastAPI:
    """Both routes; ``where`` is a SQLite file or a PostgreSQL URL."""
    app = FastAPI(openapi_url=None)
    is_server = where.startswith("postgresql://")
    url = where.replace("://", "+psycopg://", 1) if is_server else f"sqlite:///{where}"
    engine = sa.create_engine(url, pool_size=_CONNECTIONS, max_overflow=0)
    sessions = sessionmaker(engine)

    @app.get("/threads")
    def in_a_thread(
        response: Response,
        created_from: str,
        created_to: str,
        app_id: AppId,
        given: Hash,
        limit: int = 20,
        page: int = 1,
    ) -> list[Record]:
        asked = Asked(
            created_from=created_from,
            created_to=created_to,
            app_id=app_id,
            given=given,
            limit=limit,
            page=page,
        )
        with sessions() as session:
            return _page(session, secret, asked, response)

    if is_server:
        _add_async(app, where, secret)
    return app


def _add_async(app: FastAPI, where: str, secret: str) -> None:
    url = where.replace("://", "+asyncpg://", 1)
    sessions = async_sessionmaker(create_async_engine(url, pool_size=_CONNECTIONS, max_overflow=0))

    @app.get("/async")
    async def on_the_loop(
        response: Response,
        created_from: str,
        created_to: str,
        app_id: AppId,
        given: Hash,
        limit: int = 20,
        page: int = 1,
    ) -> list[Record]:
        asked = Asked(
            created_from=created_from,
            created_to=created_to,
            app_id=app_id,
            given=given,
            limit=limit,
            page=page,
        )
        session: AsyncSession
        async with sessions() as session:
            return await session.run_sync(_page, secret, asked, response)


def main() -> None:
    os.sched_setaffinity(0, {int(sys.argv[2])})
    uvicorn.run(
        application(sys.argv[3], sys.stdin.readline().strip()),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
