"""The control socket's answers, as Asterisk 22.10 writes them, and a socket that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from trunkline.engine.commands.control_socket import Control
from trunkline.engine.config.run_directory import SOCKET
from trunkline.engine.port import EngineUnavailable

HEAD = """
      Aor:  <Aor..............................................>  <MaxContact>
    Contact:  <Aor/ContactUri............................> <Hash....> <Status> <RTT(ms)..>
==========================================================================================

"""
AOR = """\
      Aor:  an-0123                                              1
    Contact:  an-0123/sip:an-0123@127.0.0.1:40001           6de1d12a4e {}         {}
"""


@asynccontextmanager
async def engine(run: Path, *answers: str) -> AsyncIterator[list[bytes]]:
    """A control socket that gives each connection the next answer; yields what it is asked.

    An empty answer is a connection that is closed at once, as one too many is.
    """
    asked: list[bytes] = []
    left = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer := next(left):
            writer.write(b"a-host/1234/22.10.1\n")
            asked.append(await reader.readuntil(b"\0"))
            writer.write(answer.encode())
        writer.close()

    async with await asyncio.start_unix_server(serve, run / SOCKET):
        yield asked


@pytest.mark.parametrize(
    ("status", "rtt", "answers"),
    [
        ("Avail  ", "      0.412", True),
        ("Unavail", "        nan", False),
        ("NonQual", "        nan", None),
        ("Unknown", "        nan", None),
        ("Removed", "        nan", False),
    ],
)
async def test_a_contacts_status(
    status: str, rtt: str, answers: bool | None, tmp_path: Path
) -> None:
    async with engine(tmp_path, HEAD + AOR.format(status, rtt)) as asked:
        assert await Control(tmp_path).contacts("an-0123") == [answers]
    assert asked == [b"cli quit after pjsip show aor an-0123\0"]


async def test_several_contacts_and_a_uri_that_is_longer_than_its_column(tmp_path: Path) -> None:
    long = f"    Contact:  an/sip:{'x' * 90}@10.0.0.1;x=Avail  6de1d12a4e Unavail         nan\n"
    text = HEAD + AOR.format("NonQual", "nan") + long + " ParameterName : ParameterValue\n"
    async with engine(tmp_path, text):
        assert await Control(tmp_path).contacts("an-0123") == [None, False]


async def test_no_such_aor_has_no_contacts(tmp_path: Path) -> None:
    async with engine(tmp_path, HEAD + "Unable to find object nobody.\n\n"):
        assert await Control(tmp_path).contacts("nobody") == []


async def test_the_registrations(tmp_path: Path) -> None:
    text = """
 <Registration/ServerURI..............................>  <Auth....................>  <Status.......>
==========================================================================================

 trunk-1/sip:10.0.0.1:5060                              trunk-1                     Registered        (exp. 285s)
 trunk-2/sip:10.0.0.2:5060\\;transport=tcp               trunk-2                     Rejected          (exp. 28s ago)
 trunk-3/sip:10.0.0.3:5060                              trunk-3                     Unregistered      (exp. 1795446000s ago)
 trunk-4/sip:10.0.0.4:5060                              n/a                         Unregistered     

Objects found: 4

"""  # noqa: W291
    async with engine(tmp_path, text):
        found = await Control(tmp_path).registrations()
    assert found == {"trunk-1": True, "trunk-2": False, "trunk-3": None, "trunk-4": None}


async def test_a_connection_too_many_is_tried_again(tmp_path: Path) -> None:
    async with engine(tmp_path, "", "", HEAD + AOR.format("Avail", "0.1")) as asked:
        assert await Control(tmp_path).contacts("an-0123") == [True]
    assert len(asked) == 1


async def test_no_engine_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable):
        await Control(tmp_path).contacts("an-0123")


@pytest.mark.parametrize(
    ("said", "missed"), [("Value: yes\n", True), ("Database entry not found.\n", False)]
)
async def test_whether_phones_were_missed(said: str, missed: bool, tmp_path: Path) -> None:
    async with engine(tmp_path, said) as asked:
        assert await Control(tmp_path).missed_some() is missed
    assert asked == [b"cli quit after database get registered missed\0"]
