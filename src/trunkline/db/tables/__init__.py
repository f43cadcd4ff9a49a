"""Every table, as SQLAlchemy Core knows it: what the migrations build and management queries use.

Ids are 32 hex digits, times unix microseconds. What a call writes (journal, calls, events and their
kin) has no foreign key to an account on purpose: a call outlives a deleted account, and taking in
the event log must never stop at one row. ``calls`` is written by one function only
(``write_calls`` in ``db.sqlite.history`` and ``db.postgres.history``), or the counts would lie.
"""

from __future__ import annotations

from trunkline.db.tables.columns import metadata
from trunkline.db.tables.destinations import (
    announcements,
    destinations,
    extensions,
    hangups,
    outbound_routes,
    outside_numbers,
    prompts,
    ways,
)
from trunkline.db.tables.directory import (
    accounts,
    api_keys,
    apps,
    device_states,
    devices,
    numbers,
    requests,
    tokens,
    trunk_states,
    trunks,
    users,
)
from trunkline.db.tables.history import (
    STAT_SUMS,
    call_counts_day,
    call_counts_hour,
    call_counts_minute,
    call_holds,
    call_stats,
    call_stats_marks,
    call_terms,
    call_updates,
    calls,
)
from trunkline.db.tables.hooks import (
    webhook_attempts,
    webhook_deliveries,
    webhooks,
)
from trunkline.db.tables.log import (
    events,
    journal,
    live_calls,
    log_positions,
    meta,
    recording_files,
    recording_removals,
    recordings,
)
from trunkline.db.tables.sip import sip_messages

__all__ = [
    "STAT_SUMS",
    "accounts",
    "announcements",
    "api_keys",
    "apps",
    "call_counts_day",
    "call_counts_hour",
    "call_counts_minute",
    "call_holds",
    "call_stats",
    "call_stats_marks",
    "call_terms",
    "call_updates",
    "calls",
    "destinations",
    "device_states",
    "devices",
    "events",
    "extensions",
    "hangups",
    "journal",
    "live_calls",
    "log_positions",
    "meta",
    "metadata",
    "numbers",
    "outbound_routes",
    "outside_numbers",
    "prompts",
    "recording_files",
    "recording_removals",
    "recordings",
    "requests",
    "sip_messages",
    "tokens",
    "trunk_states",
    "trunks",
    "users",
    "ways",
    "webhook_attempts",
    "webhook_deliveries",
    "webhooks",
]
