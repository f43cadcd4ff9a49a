"""Health, readiness, metrics, and the command line's door."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from calls.replay import folded, scenario
from trunkline.api.monitoring.quality_metrics import QualityMetrics
from trunkline.work.deliver.deliver_webhooks import DeliveryCounts

from .conftest import World


async def test_the_root_answers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.json()["name"]) == (200, "trunkline")


@pytest.mark.parametrize(
    ("change", "status", "reasons"),
    [
        ({}, 200, 0),
        ({"engine_up": False}, 503, 1),
        ({"draining": True}, 503, 1),
        ({"has_room": False}, 503, 1),
        ({"engine_up": False, "draining": True}, 503, 2),
    ],
)
async def test_it_is_healthy_when_calls_can_be_made(
    world: World, client: httpx.AsyncClient, change: dict[str, Any], status: int, reasons: int
) -> None:
    world.vital_signs.values.update(change)
    answer = await client.get("/healthz")
    assert (answer.status_code, len(answer.json()["reasons"])) == (status, reasons)


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({}, set()),
        ({"engine_up": False}, {"engine"}),
        ({"draining": True}, {"draining"}),
        ({"log_lag_seconds": 31.0}, {"log"}),
        ({"has_room": False}, {"room"}),
        ({"calls_stored": False}, {"database"}),
    ],
)
async def test_it_is_ready_when_each_part_is(
    world: World, client: httpx.AsyncClient, change: dict[str, Any], failed: set[str]
) -> None:
    world.vital_signs.values.update(change)
    answer = await client.get("/readyz")
    checks = answer.json()["checks"]
    assert {name for name, said in checks.items() if said != "ok"} == failed
    assert answer.status_code == (503 if failed else 200)


async def test_the_database_is_asked_once_a_second_at_most(
    world: World, client: httpx.AsyncClient
) -> None:
    world.db.broken = True
    for _ in range(5):
        assert (await client.get("/readyz")).status_code == 503
    assert world.db.pings == 1
    world.db.broken = False
    world.now += 1_000_000
    assert (await client.get("/readyz")).status_code == 200


async def test_metrics_tell_the_vital_signs_and_the_requests(client: httpx.AsyncClient) -> None:
    await client.get("/oapi/v1/call/histories")
    await client.post("/oapi/v1/call/click-to-call/0901234567")
    await client.request("BREW", "/coffee")
    answer = await client.get("/metrics")
    families = text_string_to_metric_families(answer.text)
    samples = {(s.name, tuple(s.labels.values())): s.value for f in families for s in f.samples}
    assert samples["trunkline_up", ()] == 1
    assert samples["trunkline_calls_live", ()] == 3
    assert samples["trunkline_log_lag_seconds", ()] == 0.25
    assert samples["trunkline_recordings_waiting", ()] == 2
    assert samples["trunkline_registrations_online", ()] == 7
    assert samples["trunkline_events_total", ()] == 100
    assert samples["trunkline_engine_restarts_total", ()] == 1
    assert samples["trunkline_event_connections", ("websocket",)] == 5
    assert samples["trunkline_event_connections", ("sse",)] == 0
    requests = {key[1]: value for key, value in samples.items() if "requests_total" in key[0]}
    assert requests["GET", "/oapi/v1/call/histories", "401"] == 1
    assert requests["POST", "/oapi/v1/call/click-to-call/{number}", "401"] == 1
    assert requests["other", "none", "404"] == 1


async def test_metrics_and_docs_can_be_switched_off(world: World) -> None:
    async with world.client(metrics=False, docs=False) as client:
        for path in ("/metrics", "/docs", "/openapi.json"):
            assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("given", [None, "Bearer wrong", "sync-token", "Bearer sync-tokené"])
async def test_only_the_command_line_may_knock(
    world: World, client: httpx.AsyncClient, given: str | None
) -> None:
    headers = {"authorization": given.encode()} if given else {}
    answer = await client.post("/internal/sync", headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (401, "TOKEN_INVALID")
    assert world.synced == 0


async def test_the_change_is_in_when_the_door_answers(
    world: World, client: httpx.AsyncClient
) -> None:
    headers = {"authorization": "Bearer sync-token"}
    answer = await client.post("/internal/sync", headers=headers)
    assert (answer.status_code, answer.content, world.synced) == (204, b"", 1)


async def test_a_sample_is_asked_for_with_the_same_token(
    world: World, client: httpx.AsyncClient
) -> None:
    wanted = {"account_id": "c" * 32, "name": "DEVICE_ONLINE"}
    refused = await client.post("/internal/samples", json=wanted)
    headers = {"authorization": "Bearer sync-token"}
    answer = await client.post("/internal/samples", json=wanted, headers=headers)
    assert (refused.status_code, world.triggered) == (401, [("c" * 32, "DEVICE_ONLINE", None)])
    assert [one["data"]["test"] for one in answer.json()] == [True]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"account_id":"c"}', b"\xff"])
async def test_a_sample_needs_a_whole_body(
    world: World, client: httpx.AsyncClient, body: bytes
) -> None:
    headers = {"authorization": "Bearer sync-token"}
    answer = await client.post("/internal/samples", content=body, headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (400, "BODY_INVALID")
    assert world.triggered == []


async def test_webhooks_are_measured(world: World) -> None:
    tally = DeliveryCounts(attempts=Counter({"2xx": 7, "error": 2}), delivered=7, failed=1)
    async with world.client(webhook_tally=tally) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    for line in (
        'trunkline_webhook_attempts_total{result="2xx"} 7.0',
        'trunkline_webhook_attempts_total{result="error"} 2.0',
        'trunkline_webhook_deliveries_total{state="failed"} 1.0',
        "trunkline_webhook_pending 5.0",
        "trunkline_webhook_lag_seconds 2.0",
        "trunkline_webhook_stopped 1.0",
    ):
        assert line in lines


async def test_the_quality_of_legs_is_measured(world: World) -> None:
    registry = CollectorRegistry()
    metrics = QualityMetrics(registry)
    (call,) = folded(scenario("bad_line")).calls.values()
    for leg in call.legs.values():
        metrics.add(leg)
    async with world.client(registry=registry) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    phone, carrier = 'endpoint="device"', 'endpoint="trunk"'
    for line in (
        f'trunkline_leg_mos_bucket{{direction="received",{phone},le="3.3"}} 0.0',
        f'trunkline_leg_mos_bucket{{direction="received",{phone},le="3.6"}} 1.0',
        f'trunkline_leg_mos_bucket{{direction="received",{carrier},le="3.6"}} 0.0',
        f'trunkline_leg_mos_bucket{{direction="received",{carrier},le="+Inf"}} 1.0',
        f'trunkline_leg_loss_ratio_count{{direction="sent",{carrier}}} 1.0',
        f'trunkline_leg_jitter_seconds_sum{{direction="sent",{carrier}}} 0.02',
        f'trunkline_leg_round_trip_seconds_bucket{{direction="both",{carrier},le="0.005"}} 1.0',
    ):
        assert line in lines, [each for each in lines if "leg_" in each]
    assert not any('direction="sent"' in each and phone in each for each in lines)


BESIDE = {"engine_up": None, "main_trouble": ""}
"""What a process without an engine says of itself."""


@pytest.mark.parametrize(
    ("change", "healthy", "ready", "failed"),
    [
        ({}, 200, 200, set()),
        ({"main_trouble": "it does not answer"}, 200, 200, {"main"}),
        ({"hears_events": False}, 200, 503, {"events"}),
        ({"draining": True}, 503, 503, {"draining"}),
    ],
)
async def test_a_process_without_an_engine_does_its_part_without_the_main_server(
    world: World, change: dict[str, Any], healthy: int, ready: int, failed: set[str]
) -> None:
    world.vital_signs.values = {"draining": False, **BESIDE, **change}
    async with world.client() as client:
        answer = await client.get("/readyz")
        assert answer.status_code == ready
        checks = answer.json()["checks"]
        assert {name for name, said in checks.items() if said != "ok"} == failed
        assert "engine" not in checks
        assert (await client.get("/healthz")).status_code == healthy


async def test_a_process_without_an_engine_measures_nothing_of_calls(world: World) -> None:
    world.vital_signs.values = {"draining": False, **BESIDE}
    async with world.client(webhook_tally=None) as client:
        text = (await client.get("/metrics")).text
    assert "trunkline_up 1.0" in text
    assert "trunkline_main_up 1.0" in text
    assert "trunkline_calls_live" not in text
    assert "trunkline_webhook" not in text
