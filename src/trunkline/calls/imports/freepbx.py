"""FreePBX: its table ``asteriskcdrdb.cdr``, exported with the names of the columns in the first line.

The same rows as Asterisk's own, with ``calldate`` for the start and neither answer nor end; ``did`` is
there for calls from outside, and ``cnum`` is the extension that called, whatever number it showed.
"""

from __future__ import annotations

from trunkline.calls.imports.asterisk import read

__all__ = ["read"]
