"""An account to import into, and files of any size to import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cli.office import Office
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.work.manage.devices import create_device
from trunkline.work.manage.users import create_user

HEAD = "calldate,clid,src,dst,channel,dstchannel,duration,billsec,disposition,uniqueid,linkedid\n"
START = 1_709_517_600


def moved_in(data: Path) -> Office:
    """The office acme with users an (101) and binh (102)."""
    data.mkdir()
    office = Office(data)
    with ManagedDirectory(office.file, office.key).transaction() as directory:
        for username, extension in (("an", "101"), ("binh", "102")):
            user = create_user(
                directory, office.account, username, name=username.title(), extension=extension
            )
            create_device(directory, office.account, user, f"{username}1", realm="trunkline")
    return office


def big_file(file: Path, calls: int, every: int = 60) -> Path:
    """FreePBX rows of so many calls, one every so many seconds; each third one has two rows."""
    with file.open("w") as out:
        out.write(HEAD)
        for n in range(calls):
            at = START + n * every
            row = f'{at},"""An"" <101>",101,0287{n:07},PJSIP/101-{n:08x},PJSIP/c-{n:08x}'
            if n % 3 == 0:
                out.write(f"{row},5,0,NO ANSWER,{at}.{n},{at}.{n}\n")
            out.write(f"{row},30,21,ANSWERED,{at}.{n},{at}.{n}\n")
    return file


def start(office: Office, *words: str) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    program = (sys.executable, "-c", "from trunkline.cli import main; main()")
    return subprocess.Popen(
        [*program, "--data", str(office.data), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
