"""Joins the parts of the main server: engine, database, verbs and doors."""

from __future__ import annotations

import asyncio
import secrets
import time

from prometheus_client import CollectorRegistry

from trunkline.api.http.deps import ApiDeps
from trunkline.api.monitoring.quality_metrics import QualityMetrics
from trunkline.api.monitoring.refusal_metrics import RefusalMetrics
from trunkline.calls.quality import QualityLimits
from trunkline.engine.asterisk import Asterisk
from trunkline.engine.commands.ami import Ami
from trunkline.engine.config import configuration
from trunkline.engine.config.credentials import Credentials, credentials
from trunkline.engine.install.choose import Installed
from trunkline.engine.listen.failed_logins import FailedLogins as FailedLoginsFile
from trunkline.engine.listen.log_follower import LogFollower
from trunkline.engine.port import ContactCame, EndpointChanged, LegInSip, Signal, TrunkChanged
from trunkline.engine.process.life import EngineLife
from trunkline.engine.process.sip_connections import SipConnections
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_call import Node
from trunkline.recordings.disk import DiskStore
from trunkline.routing.ports import legs
from trunkline.server.clock import now, steady
from trunkline.server.listening import refuse_taken_sip
from trunkline.server.main_server import MainServer
from trunkline.server.server_file import internal_token
from trunkline.server.setting_forms import port_range
from trunkline.server.settings import Settings, sip_tcp_ports
from trunkline.server.sip_trace import SipTrace
from trunkline.server.wiring.database import DatabaseParts
from trunkline.server.wiring.doors import Web, web
from trunkline.server.wiring.engine import engine_configuration, may_stay
from trunkline.server.wiring.retention import delete_expired, deleting_clock
from trunkline.server.wiring.webhooks import Webhooks
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.secrets import InstallationKey
from trunkline.work.control.end_astray import EndAstray
from trunkline.work.control.transfer_call import TransferCall
from trunkline.work.control.watch_media import WatchMedia
from trunkline.work.deliver.trigger_event import TriggerEvent
from trunkline.work.failed_logins import FailedLogins
from trunkline.work.follow.close_left_calls import CloseLeftCalls
from trunkline.work.follow.follow_endpoints import Change, FollowEndpoints
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.follow.follow_logins import FollowLogins
from trunkline.work.place.place_call import CallSettings, PlaceCall
from trunkline.work.record.file_recordings import FileRecordings, salvage
from trunkline.work.record.tags import RecordingTags
from trunkline.work.upkeep.read_vitals import ReadVitals


def main_server(
    settings: Settings, installed: Installed, key: InstallationKey, parts: DatabaseParts
) -> tuple[MainServer, Web]:
    """A server on an open database, and its doors. Nothing runs yet."""
    db, bus = parts.db, parts.bus
    home = settings.directory / "engine"
    spool = home / "spool"
    access = credentials(home)
    node = Node(settings.sip_realm, access.system)
    message_ids = MessageIds(now)
    endpoint_changes: asyncio.Queue[Change] = asyncio.Queue()

    def hear(signal: Signal) -> None:
        if isinstance(signal, EndpointChanged | ContactCame | TrunkChanged):
            endpoint_changes.put_nowait(signal)
        elif isinstance(signal, LegInSip):
            sip_trace.hear(signal)
        else:
            calls.hear(signal)

    engine = Asterisk(
        home,
        access.port,
        access.password,
        hear,
        ami=Ami(access.ami_port, access.ami_password),
        trunk_qualify_seconds=settings.trunk_qualify_seconds,
        tls_ca=settings.sip_tls_ca,
        caches=parts.caches,
        keep_free_mb=settings.keep_free_mb,
    )
    bad = QualityLimits(
        settings.quality_mos, settings.quality_loss_percent, settings.quality_jitter_ms
    )
    calls = CallLog(db, bus, node, now, message_ids, bad, steady)
    deleting = deleting_clock(settings)
    sip_trace = SipTrace(settings, installed, home, db, calls, now, deleting)
    end_astray = EndAstray(engine)
    calls.on_astray = end_astray.hear
    registry = CollectorRegistry()
    calls.on_leg_over = QualityMetrics(registry).add
    calls.on_refused = RefusalMetrics(registry).add
    hooks = Webhooks(settings, db, bus, key, now, message_ids)
    store = DiskStore(settings.directory / "recordings")
    logins = FailedLogins(time.monotonic)

    def configured(access: Credentials) -> configuration.EngineConfiguration:
        return engine_configuration(
            settings, installed, home, access, parts.views, capture=sip_trace.address
        )

    def before_start() -> None:
        # Asterisk starts deaf where another program has the SIP address.
        refuse_taken_sip(settings)
        salvage(spool)

    life = EngineLife(
        installed,
        home,
        engine,
        access,
        configured,
        before_start,
        db.directory.trunks,
        DatabaseUnavailable,
        lambda at: server.engine_died(at),
    )
    place_call = PlaceCall(
        db,
        engine,
        calls,
        CallSettings(
            settings.device_ring_seconds,
            settings.auth_failures,
            legs(*port_range(settings.rtp, "rtp")),
        ),
        now,
        lambda: secrets.token_hex(16),
    )
    vitals = ReadVitals(
        db, engine, calls, bus, now, lambda: server.log_behind(), lambda: life.restarts
    )
    vitals.sip_messages = sip_trace.counts
    sip_connections = SipConnections(sip_tcp_ports(settings))
    vitals.sip_connections = lambda: sip_connections.open
    vitals.refused_for_room = lambda: engine.log_room.said.refused
    server = MainServer(
        settings=settings,
        node_id=access.system,
        db=db,
        run_bus=parts.run_bus,
        bus_ready=parts.bus_ready,
        engine=engine,
        life=life,
        open_log=lambda position: LogFollower(configuration.event_log(home), position),
        calls=calls,
        place_call=place_call,
        follow_endpoints=FollowEndpoints(db, bus, message_ids, engine.forget_objects),
        endpoint_changes=endpoint_changes,
        failed_logins=FailedLoginsFile(home),
        follow_logins=FollowLogins(db, bus, message_ids, logins, now, time.monotonic),
        deliver_webhooks=hooks.deliver,
        file_recordings=FileRecordings(
            db.recordings,
            bus,
            store,
            spool,
            now,
            message_ids,
            open_now=life.open_files,
            live_now=lambda: calls.live_raws() if calls.caught_up.is_set() else None,
            tags=RecordingTags(db.history),
        ),
        delete_expired=delete_expired(settings, db.retention, store, deleting),
        sip_trace=sip_trace,
        sip_connections=sip_connections,
        vitals=vitals,
        end_astray=end_astray,
        watch_media=WatchMedia(engine, calls, settings.media_timeout_seconds, now, time.monotonic),
        close_left_calls=CloseLeftCalls(db.calls, calls, access.system, time.monotonic),
        may_stay=may_stay(db.directory),
    )
    doors = web(
        settings,
        ApiDeps(
            db=db,
            place_call=place_call,
            transfer_call=TransferCall(db, engine, calls),
            store=store,
            vital_signs=vitals,
            sync=server.sync,
            trigger_event=TriggerEvent(db.events, bus, node, now, message_ids),
            manage_webhooks=hooks.manage,
            try_webhook=hooks.try_one,
            webhook_tally=hooks.deliver.tally,
            sync_token=internal_token(key),
            url_key=key.derive("recording links"),
            answers_key=key.derive("kept answers"),
            bus=bus,
            clock=now,
            logins=logins,
            registry=registry,
            shared=parts.is_shared,
        ),
    )
    vitals.event_connections = doors.live.connections
    vitals.connections_refused = lambda: doors.addresses.refused
    return server, doors
