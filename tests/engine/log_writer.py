"""Appends numbered records to a log as Asterisk does: one open, write and close for each.

Arguments: file, how many, pause in seconds.
"""

from __future__ import annotations

import os
import sys
import time


def record(number: int) -> bytes:
    """A record whose fields hold all that breaks simple readers."""
    name = f'An\n"{number}", \\'
    fields = ["ANSWER", f"1700000000.{number:06d}", str(number), "c", "PJSIP/a-1", "1", name]
    fields += ["s", "x", "acct", "", '{"extra":"a=1&b=2"}']
    quoted = (field.replace('"', '""') for field in fields)
    return ",".join(f'"{field}"' for field in quoted).encode() + b"\n"


def append(path: str, raw: bytes) -> None:
    """One record, written as Asterisk writes it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, raw)
    os.close(descriptor)


if __name__ == "__main__":
    for n in range(int(sys.argv[2])):
        append(sys.argv[1], record(n))
        time.sleep(float(sys.argv[3]))
