"""The server: a page, its assets, and questions as JSON. Loopback only, no account, no request to anywhere else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from optimizer.report.page import safe_json
from optimizer.serve.answers import Answers, BusyError
from optimizer.serve.levers import WhatIf, offer

ASSETS = Path(__file__).resolve().parent / "assets"
MOST_BYTES = 64_000
BODY_WITHIN_S = 10.0
"""A body that takes longer is cut off: a slow client must not hold a place."""
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ANSWER_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "frame-ancestors 'self'; sandbox allow-scripts"
)


class RefusedError(Exception):
    """A request that is refused, with the HTTP status and words."""

    def __init__(self, status: int, words: str) -> None:
        self.status, self.words = status, words
        super().__init__(words)


class _SafeHeaders:
    """Headers on every response: nothing is cached, sniffed or told to other sites."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        await self.app(scope, receive, sent)


def make_app(answers: Answers, hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")) -> Starlette:
    """
    The application.

    Parameters
    ----------
    hosts
        Names it answers to; another ``Host`` is refused, so that no other site's name can lead here.
    """
    environment = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined)
    offered = offer(answers.corridor)
    page = environment.get_template("serve.html.j2").render(
        name=answers.corridor.name, scenario=",".join(answers.corridor.scenario) or "base", offer=offered,
        data=safe_json({"base": answers.base.cost}),
    )  # fmt: skip

    async def index(_: Request) -> Response:
        return HTMLResponse(page, headers={"content-security-policy": PAGE_POLICY})

    async def ask(request: Request) -> Response:
        _same_origin(request)
        try:
            asked = WhatIf.model_validate_json(await _body(request))
        except ValidationError as failure:
            faults = failure.errors(include_url=False, include_context=False, include_input=False)
            words = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or 'the question'}: {fault['msg']}" for fault in faults[:8]
            )
            raise RefusedError(400, words) from failure
        try:
            job = answers.ask(asked)
        except BusyError as error:
            raise RefusedError(503, "many questions are waiting; try again in a few seconds") from error
        return JSONResponse(job.told(answers.base), status_code=202)

    async def look(request: Request) -> Response:
        job = answers.job(request.path_params["job_id"])
        if job is None:
            raise RefusedError(404, "there is no such question any more; ask it again")
        return JSONResponse(job.told(answers.base))

    async def cancel(request: Request) -> Response:
        _same_origin(request)
        job = answers.cancel(request.path_params["job_id"])
        if job is None:
            raise RefusedError(404, "there is no such question any more")
        return JSONResponse(job.told(answers.base))

    async def answer(request: Request) -> Response:
        name = request.path_params["job_id"]
        job = answers.job(name)
        content = answers.base_page if name == "base" else job.page if job else ""
        if not content:
            raise RefusedError(404, "there is no such answer")
        return HTMLResponse(content, headers={"content-security-policy": ANSWER_POLICY})

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return JSONResponse({"error": error.words}, status_code=error.status)

    async def gone(_: Request, error: Exception) -> Response:
        return Response(status_code=400)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(answers.close)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/questions", ask, methods=["POST"]),
            Route("/questions/{job_id}", look),
            Route("/questions/{job_id}", cancel, methods=["DELETE"]),
            Route("/answers/{job_id}", answer),
            Mount("/assets", StaticFiles(directory=ASSETS)),
        ],
        middleware=[Middleware(_SafeHeaders), Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
        exception_handlers={RefusedError: refused, ClientDisconnect: gone},
        lifespan=lifespan,
    )


def _same_origin(request: Request) -> None:
    """Questions come from our own page or from a program, not from another site's page."""
    origin = request.headers.get("origin")
    if origin is not None and origin.split("://", 1)[-1] != request.headers.get("host"):
        raise RefusedError(403, "questions are taken from this page only")
    if request.method == "POST" and request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise RefusedError(415, "expected application/json")


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0

    async def read() -> None:
        nonlocal size
        async for part in request.stream():
            size += len(part)
            if size > MOST_BYTES:
                raise RefusedError(413, f"a question has at most {MOST_BYTES:,} bytes")
            parts.append(part)

    try:
        await asyncio.wait_for(read(), BODY_WITHIN_S)
    except TimeoutError as error:
        raise RefusedError(408, f"the question did not arrive within {BODY_WITHIN_S:g} s") from error
    return b"".join(parts)


def run(app: Any, host: str, port: int, announce: Any) -> None:
    """Serve until interrupted; ``announce(port)`` is called once requests are taken."""
    import uvicorn

    class _Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce(self.servers[0].sockets[0].getsockname()[1])

    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, limit_concurrency=256,
        timeout_keep_alive=5, timeout_graceful_shutdown=5, server_header=False,
    )  # fmt: skip
    _Server(config).run()
