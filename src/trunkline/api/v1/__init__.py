"""``/v1``, the modern API: one table of routes, and each of its conventions in one place.

To add an endpoint:

1. Write its function in a module of its own subject, taking what was asked and giving a ``Response``::

       class ThingQuery(Parameters):
           thing_id: str                                   # stands in the path
           limit: Limit = 100                              # all others are the query's

       async def read_thing(request: Request[ThingQuery, None]) -> Response:
           thing = request.context.deps.db.things.one(request.account_id, request.parameters.thing_id)
           if thing is None:
               raise problem("not_found")
           return Response(Thing(id=thing.id, made_at=rfc3339(thing.made_at)))

2. Put it into that module's ``ROUTES``, and the module's ``ROUTES`` into ``table.py``::

       Route("GET", "/v1/things/{thing_id}", "things:read", read_thing, "Read a thing",
             parameters=ThingQuery, answer=Thing)

3. A new scope goes to ``directory/api_keys.py``, a new error code to ``conventions/problems.py`` and
   ``docs/reference/errors.md``.

Keys and scopes, rate limits, strict parameters and bodies, errors, ``Idempotency-Key``, ``Link`` and
the OpenAPI document all come from the table. Bodies are ``RequestBody`` structs (snake_case, unknown fields
refused), times RFC 3339 (``calls/times.py``), pages go by ``request.context.cursors``. What a POST makes
takes ``request.id`` as its id: so it is made once, also when the server dies amid it (``conventions/idempotency.py``). A long
answer is a ``Response(stream=…)`` of pieces of bytes, and its route names the ``media_types``.
"""
