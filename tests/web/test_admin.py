"""/healthz and /metrics."""

import asyncio
from typing import Any

import httpx
import pytest

from sipguard.web.admin import build_app
from tests.runtime.sample_vitals import sample_vitals


def ask(path: str, method: str = "GET", **changes: Any) -> httpx.Response:
    """The answer of the admin application of a node with these vitals."""

    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(app=build_app(lambda: sample_vitals(**changes)))
        async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
            return await client.request(method, path)

    return asyncio.run(main())


def test_a_healthy_node_says_ok() -> None:
    """200, the word, and no reasons."""
    answer = ask("/healthz")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "status": "ok", "reasons": [], "node": "edge-1", "uptime": 12.346, "active_calls": 2, "ledger_records": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code", "status", "reason"),
    [
        ({"draining": True}, 503, "draining", "no new calls"),
        ({"ledger_failure": "No space left on device"}, 503, "degraded", "No space left"),
        ({"ledger_failure": "No space left on device", "ledger_holds": False}, 200, "degraded", "No space left"),
        ({"lag": 2.0}, 200, "degraded", "2.0 s late"),
        ({"reload_failure": "2 problems"}, 200, "degraded", "2 problems"),
    ],
)
def test_a_node_that_takes_no_calls_says_so(changes: dict[str, Any], code: int, status: str, reason: str) -> None:
    """503 turns a balancer away; every other ailment is told and calls still come."""
    answer = ask("/healthz", **changes)
    assert (answer.status_code, answer.json()["status"]) == (code, status)
    assert reason in answer.json()["reasons"][0]


def test_metrics_are_prometheus_text() -> None:
    """The content type Prometheus asks for, and the engine's counters."""
    answer = ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'sipguard_calls_total{code="403",direction="origination",rule="caller-id.not-owned"' in answer.text


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/redoc", "/healthz/x"])
def test_nothing_else_is_there(path: str) -> None:
    """Two paths and no more."""
    assert ask(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_only_reads(method: str) -> None:
    """No request changes anything."""
    assert ask("/healthz", method).status_code == 405
