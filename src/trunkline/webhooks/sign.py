"""Signs webhooks by Standard Webhooks (https://www.standardwebhooks.com), with every secret that is valid."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook as Signer

from trunkline import __version__


def secret_for(mark: str, key: bytes) -> str:
    """``whsec_`` and 32 bytes in base64, always the same for the same mark and key.

    So a request that was cut off during a rotation, and is sent again, rotates once.
    """
    return f"whsec_{base64.b64encode(hmac.digest(key, mark.encode(), 'sha256')).decode()}"


def signed_headers(message_id: str, at: int, body: bytes, signing: Sequence[str]) -> dict[str, str]:
    """The headers of a request at ``at`` (unix microseconds), with one signature for each secret."""
    seconds = at // 1_000_000
    time = datetime.fromtimestamp(seconds, UTC)
    signatures = [Signer(secret).sign(message_id, time, body.decode()) for secret in signing]
    return {
        "content-type": "application/json",
        "user-agent": f"Trunkline/{__version__}",
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }
