"""What is added to live sound: from when a packet was sent to when the other party had it, ours beside a bare Asterisk.

Both by the kernel's clock: the time just before the packet is given to it, and its time stamp of the one that came.
Ours is a recorded call out by a trunk, PCMU at both ends. With jitter, the time begins where the network lets go.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.whole.codecs import PCMU
from tests.whole.exact_voice import Network
from tests.whole.firm import Firm
from tests.whole.measured import delays
from tests.whole.party import Call, Party
from tests.whole.situations import HERS, OTHER, prepare, spoken, talking, undisturbed

from ..bare_asterisk import BareAsterisk
from ..figures import Figure, compared
from ..stage import Bench, on_stage

ROUNDS, CALLS, SECONDS = 3, 4, 15.0
NETWORKS = {"": Network(), ", 60 ms jitter": Network(jitter=0.06, seed=1)}


async def measure(quick: bool) -> list[Figure]:
    """In turns: p50 and p95 of all packets of all rounds, in ms."""
    found: dict[tuple[str, str], list[float]] = {}
    async with on_stage() as bench, _bare(bench) as bare:
        firm = await Firm.open(bench)
        sides = {"bare": bare, "ours": (firm.alice, firm.carrier)}
        await asyncio.to_thread(prepare, [])
        for _ in range(1 if quick else ROUNDS):
            for name, network in NETWORKS.items():
                for side, pair in sides.items():
                    found.setdefault((name, side), []).extend(await _talk(*pair, network))
    return [
        compared(
            f"live delay{name}, p{round(share * 100)}",
            found[name, "bare"],
            found[name, "ours"],
            share,
            block=1000,
            note=f"{len(found[name, 'ours'])} packets",
        )
        for name in NETWORKS
        for share in (0.5, 0.95)
    ]


async def _talk(caller: Party, callee: Party, network: Network) -> list[float]:
    """Several calls at once; the delay of every packet, in ms."""
    for party in (caller, callee):
        party.network, party.codecs = network, (PCMU,)
        party.calls.clear()
    with undisturbed():
        pairs = [await _up(caller, callee, f"09012345{n:02}") for n in range(CALLS)]
        at = time.time() + 0.1
        said = [
            (one.voice.say(talking(tones, 0, SECONDS), at), other.voice)
            for pair in pairs
            for (one, other), tones in zip((pair, pair[::-1]), (HERS, OTHER), strict=True)
        ]
        await spoken(*(one for one, _ in said))
        await asyncio.gather(*(one.hang_up() for one, _ in pairs))
    return [delay * 1000 for one, voice in said for delay in delays(one, voice.came)]


async def _up(caller: Party, callee: Party, number: str) -> tuple[Call, Call]:
    return await caller.dial(number).up(), await callee.taken()


@asynccontextmanager
async def _bare(bench: Bench) -> AsyncIterator[tuple[Party, Party]]:
    here, there, port = bench.address(), bench.address(), bench.ports.one()
    bare = BareAsterisk(
        bench.folder / "bare", bench.ports.one(), bench.ports.range(200), here, f"{there}:{port}"
    )
    await bare.start()
    parties: list[Party] = []
    try:
        for address, its in ((here, bench.ports.one()), (there, port)):
            parties.append(await Party.open(bare.sip, address, its, "bare"))
        yield parties[0], parties[1]
    finally:
        for party in parties:
            await party.close()
        bare.stop()
