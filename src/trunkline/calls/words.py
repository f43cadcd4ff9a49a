"""The status words of calls, legs, recordings, devices, trunks, webhooks and deliveries, used by every way out.

``docs/words.md`` explains them.
"""

from __future__ import annotations

from typing import Literal

CallStatus = Literal["requested", "started", "ringing", "answered", "talking", "held", "ended"]
LegStatus = Literal["started", "ringing", "answered", "held", "ended"]
StatusDetail = Literal["SUCCESS", "BUSY", "UNSUCCESS", "CANCELLED", "IVR"]
RecordingStatus = Literal["pending", "ready", "failed"]
DeviceStatus = Literal["online", "offline"]
TrunkStatus = Literal["up", "down"]
WebhookStatus = Literal["enabled", "disabled", "suspended"]
DeliveryStatus = Literal["pending", "delivered", "failed"]
