"""Reading parameters and bodies, strictly: what is not known is refused, and all of it is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from trunkline.api.v1.conventions.problems import Fault, parameters_invalid, problem
from trunkline.api.v1.conventions.routing import Parameters, RequestBody

P = TypeVar("P", bound=Parameters)
B = TypeVar("B", bound=RequestBody)

MOST_PARAMETERS = 100

_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_PLACE = re.compile(r" - at `\$(.*)`$")
_GOT = re.compile(r", got `.*`$")
_KINDS = {"`int`": "a whole number", "`str`": "a text", "`bool`": "true or false"}
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`")


class _Field(msgspec.Struct, frozen=True):
    """How a parameter is sent, and how it is read."""

    kind: Any
    listed: bool
    whole: bool
    required: bool
    name: str
    """What it is called in Python: ``class`` cannot be."""


@cache
def _fields(kind: type[Parameters]) -> dict[str, _Field]:
    return {
        field.encode_name: _Field(
            field.type,
            isinstance(
                bare := _bare(field.type), msgspec.inspect.ListType | msgspec.inspect.VarTupleType
            ),
            isinstance(bare, msgspec.inspect.IntType),
            field.required,
            field.name,
        )
        for field in msgspec.structs.fields(kind)
    }


def _bare(kind: Any) -> msgspec.inspect.Type:
    """The type without its descriptions, and without ``| None``."""
    found = msgspec.inspect.type_info(kind)
    while isinstance(found, msgspec.inspect.Metadata):
        found = found.type
    if isinstance(found, msgspec.inspect.UnionType):
        others = [one for one in found.types if not isinstance(one, msgspec.inspect.NoneType)]
        found = others[0] if len(others) == 1 else found
    return found


def read_parameters(kind: type[P], path: Mapping[str, str], query: bytes) -> P:
    """Path and query as typed values; raises Problem not_found and parameters_invalid."""
    sent, fields = _sent(query), _fields(kind)
    values: dict[str, Any] = {}
    for name, text in path.items():
        try:
            values[name] = _value(fields[name], [text])
        except ValueError:
            raise problem("not_found") from None
    unknown = [name for name in sent if name not in fields or name in path]
    faults = [Fault("This parameter is not known.", parameter=name) for name in unknown]
    return _read(kind, values, sent, faults)


def read_headers(kind: type[P], headers: Iterable[tuple[bytes, bytes]]) -> P:
    """Typed values of headers, empty ones left out; raises Problem parameters_invalid."""
    sent: dict[str, list[str]] = {}
    for name in _fields(kind):
        wanted = name.lower().encode()
        if found := [text.decode("latin-1") for key, text in headers if key == wanted and text]:
            sent[name] = found
    return _read(kind, {}, sent, [])


def _read(
    kind: type[P], values: dict[str, Any], sent: dict[str, list[str]], faults: list[Fault]
) -> P:
    """``values`` are those that have been read already, ``faults`` what is wrong already."""
    fields = _fields(kind)
    for name, field in fields.items():
        if name not in values:
            faults += _take(values, name, field, sent.get(name))
    if faults:
        raise parameters_invalid(faults)
    return kind(**{fields[name].name: value for name, value in values.items()})


def _sent(query: bytes) -> dict[str, list[str]]:
    """Name -> its values, in the order in which they were sent."""
    sent: dict[str, list[str]] = {}
    try:
        text = query.decode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise parameters_invalid(
            [Fault("The query is not URL-encoded UTF-8, or too long.")]
        ) from None
    for name, value in pairs:
        sent.setdefault(name, []).append(value)
    return sent


def _take(values: dict[str, Any], name: str, field: _Field, sent: list[str] | None) -> list[Fault]:
    """Put the parameter into ``values``, or say what is wrong with it."""
    if sent is None:
        return [Fault("This parameter is required.", parameter=name)] if field.required else []
    try:
        values[name] = _value(field, sent)
    except ValueError as error:
        return [Fault(f"{error}.", parameter=name)]
    return []


def _value(field: _Field, sent: list[str]) -> Any:
    """Raises ValueError with what was expected."""
    if field.listed:
        parts = [part for text in sent for part in text.split(",") if part]
        return msgspec.convert(parts, field.kind)
    if len(sent) > 1:
        raise ValueError("It was sent twice")
    if field.whole and not _WHOLE.fullmatch(sent[0]):
        raise ValueError("Expected a whole number")
    try:
        value = msgspec.convert(sent[0], field.kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(_expected(str(error))) from None
    if value is None:  # which "null" is to msgspec
        raise ValueError("Expected a value")
    return value


def _expected(sentence: str) -> str:
    """msgspec's sentence for people who know no types of Python's; a query is all texts anyway."""
    said = _GOT.sub("", sentence)
    for name, words in _KINDS.items():
        said = said.replace(name, words)
    return said


@cache
def _decoder(kind: type[B]) -> msgspec.json.Decoder[B]:
    return msgspec.json.Decoder(kind)


def read_json(kind: type[B] | None, body: bytes) -> B | None:
    """The body as a typed value; raises Problem body_invalid. The Content-Type is not looked at."""
    if kind is None:
        if body.strip() not in (b"", b"{}"):
            raise _wrong_body("This request takes no body.", "")
        return None
    try:
        read: B = _decoder(kind).decode(body)
    except msgspec.ValidationError as error:
        raise _wrong_body(*_placed(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _wrong_body("The body is not JSON.", "") from None
    return read


def _wrong_body(detail: str, pointer: str) -> Exception:
    return problem("body_invalid", detail, errors=[Fault(detail, pointer=pointer)])


def _placed(message: str) -> tuple[str, str]:
    """msgspec's sentence, which never holds a value that may be secret, and where it belongs."""
    found = _PLACE.search(message)
    where = _pointer(found[1]) if found else ""
    sentence = message[: found.start()] if found else message
    if unknown := _UNKNOWN.fullmatch(sentence):
        return f"There is no field `{unknown[1]}`.", f"{where}/{_escaped(unknown[1])}"
    return f"{sentence}.", where


def _pointer(path: str) -> str:
    """``.a[0].b`` as ``/a/0/b``; where msgspec does not say which (``[...]``), the pointer ends."""
    known = path.partition("[...]")[0]
    steps = re.findall(r"\.([^.\[]+)|\[(\d+)\]", known)
    return "".join(f"/{_escaped(name or index)}" for name, index in steps)


def _escaped(step: str) -> str:
    """RFC 6901, 3."""
    return step.replace("~", "~0").replace("/", "~1")
