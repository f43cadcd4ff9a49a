"""The table of routes, and the document that is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.api.docs.openapi import openapi_document
from trunkline.api.v1.conventions.problems import PROBLEMS, problem
from trunkline.api.v1.conventions.routing import Parameters, Request, Response, Route
from trunkline.api.v1.table import ROUTES


async def nothing(request: Request[Parameters, None]) -> Response:
    return Response()


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/v1/x/{missing}"},
        {"scope": "no:such"},
        {"problems": ("no_such_code",)},
    ],
)
def test_a_route_that_cannot_be_served_is_not_made(wrong: dict[str, Any]) -> None:
    good: dict[str, Any] = {"method": "GET", "path": "/v1/x", "scope": None}
    with pytest.raises(ValueError, match="/v1/x"):
        Route(**{**good, **wrong}, function=nothing, summary="")


def test_every_route_is_documented_with_all_its_codes() -> None:
    document = openapi_document()
    names = set()
    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        names.add(operation["operationId"])
        assert operation["security"] == [{"key": [route.scope] if route.scope else []}]
        assert len(operation["description"]) > 40
        for code in route.codes:
            answer = operation["responses"][str(PROBLEMS[code].status)]
            assert f"`{code}`" in answer["description"]
            assert list(answer["content"]) == ["application/problem+json"]
    assert len(names) == len(ROUTES)


def test_a_problem_has_its_own_sentence() -> None:
    for code, kind in PROBLEMS.items():
        assert problem(code).detail == kind.title
        assert kind.title.endswith(".")
        assert kind.advice.endswith(".")
