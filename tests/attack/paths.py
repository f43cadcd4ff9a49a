"""Other forms of a path, of a target and of a Host, by which a proxy's rule would be gone round."""

from __future__ import annotations

from .report import Report
from .target import Target

ROUTES = [
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("POST", "/internal/sync"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/oapi/v1/call/histories"),
    ("GET", "/v1/calls"),
    ("GET", "/v1/events/stream"),
    ("GET", "/socket.io/?EIO=4&transport=polling"),
]
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)
HOSTS = [
    "a b", "user@a", "user:x@a", "a/b", "a:0", "a:99999", "a:x", "a..b", "[::1", "[x]", "999.1.1.1", "http://a",
    "a,b", "a#b", "a?b", "a\\b", "x" * 300, "\x01", "ä",
]  # fmt: skip


def others(path: str) -> list[str]:
    bare, mark, query = path.partition("?")
    head, _, tail = bare[1:].rpartition("/")
    dotted = f"/{head}/./{tail}" if head else f"/./{tail}"
    forms = [
        f"/{bare}", f"///{bare}", f"{bare}//", f"/%{ord(bare[1]):02x}{bare[2:]}", f"/%25{ord(bare[1]):02x}{bare[2:]}",
        dotted, f"/x/..{bare}", f"/x/%2e%2e{bare}", f"/..%2f{bare[1:]}", f"/%2e/{bare[1:]}", f"{bare};x", f"{bare};/x",
        f"/;x{bare}", f"{bare}%2f", f"{bare}%00", f"{bare}%20", f"{bare}%09", f"{bare}%5c", f"/\\{bare[1:]}",
        f"{bare}/.", f"{bare}/..", bare.replace("/", "%2f")[3:], f"/{bare[1:].replace('/', '%2F')}x", f"{bare}%3f",
        f"/%c0%af{bare[1:]}", f"{bare}%ff", bare.upper(),
    ]  # fmt: skip
    forms += [bare.rstrip("/")] if bare.endswith("/") else [f"{bare}/"]
    forms += [f"/{head}%2f{tail}", f"/{head}%252f{tail}", f"/{head}//{tail}"] if head else []
    return [form + mark + query for form in forms]


async def attack(target: Target, report: Report) -> None:
    auth = (f"Authorization: Bearer {target.internal}", "Content-Length: 0")
    for method, path in ROUTES:
        more = auth if path.startswith("/internal") else ()
        if path.startswith("/v1/"):  # so that a 401 hides nothing
            more = (f"Authorization: Bearer {target.key}",)
        right = await target.status(method, path, target.host, *more)
        report.case(f"{method} {path} is there", right not in (0, 404), right)
        for form in others(path):
            seen = await target.status(method, form, target.host, *more)
            report.case(f"{method} {form}", seen in (400, 404), seen)
    for path in ("/oapi/v1/voice/events", "/socket.io/?EIO=4&transport=websocket"):
        for form in others(path):
            lines = (f"GET {form} HTTP/1.1", target.host, *UPGRADE, "", "")
            answer = await target.raw("\r\n".join(lines).encode("latin-1"))
            report.case(f"a WebSocket at {form}", answer[9:12] in (b"400", b"404"), answer[:60])
    await _targets(target, report)
    await _hosts(target, report)


async def _targets(target: Target, report: Report) -> None:
    own = f"127.0.0.1:{target.port}"
    for form in (
        f"http://{own}/healthz", "http://evil/healthz", f"http://u@{own}/healthz", "healthz", "*", "/healthz#x", "?",
    ):  # fmt: skip
        seen = await target.status("GET", form, target.host)
        report.case(f"the target {form}", seen == 400, seen)


async def _hosts(target: Target, report: Report) -> None:
    wrong: list[tuple[str, ...]] = [(), (target.host, target.host), (target.host, "Host: evil")]
    for headers in wrong + [(f"Host: {host}",) for host in HOSTS] + [("Host:",), ("Host : a",)]:
        seen = await target.status("GET", "/healthz", *headers)
        report.case(f"with {headers!r:.60}", seen == 400, seen)
