"""Every table, as SQLAlchemy Core knows it: what the migrations build and management queries use.

Ids are 32 hex digits, times unix microseconds. What a call writes (journal, calls, events and their
kin) has no foreign key to an account on purpose: a call outlives a deleted account, and taking in
the event log must never stop at one row. ``calls`` is written by one function only
(``write_calls`` in ``sqlite/finished_calls.py`` and ``postgres/finished_calls.py``), or the counts would lie.
"""

from __future__ import annotations

from trunkline.store.tables.columns import metadata
from trunkline.store.tables.destinations import (
    announcements,
    destinations,
    extensions,
    hangups,
    music,
    outbound_routes,
    outside_numbers,
    prompts,
    ways,
)
from trunkline.store.tables.directory import (
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
from trunkline.store.tables.happened import (
    events,
    journal,
    live_calls,
    log_positions,
    meta,
    recording_files,
    recording_removals,
    recordings,
)
from trunkline.store.tables.history import (
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
from trunkline.store.tables.sip_messages import sip_messages
from trunkline.store.tables.webhooks import webhook_attempts, webhook_deliveries, webhooks

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
    "music",
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
