"""The admin application: ``/healthz`` for balancers and people, ``/metrics`` for Prometheus.

Both only read. The handlers are coroutines on purpose: they run in the proxy's loop between two messages, where the
numbers they read are consistent.
"""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sipguard.runtime.metrics import build_registry
from sipguard.runtime.vitals import Vitals


def build_app(vitals: Callable[[], Vitals]) -> FastAPI:
    """The application; ``vitals`` is asked at each request."""
    app = FastAPI(title="sipguard", openapi_url=None)
    registry = build_registry(vitals)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        now = vitals()
        body = {
            "status": now.status.value,
            "reasons": now.reasons,
            "node": now.node,
            "uptime": round(now.uptime, 3),
            "active_calls": now.active_calls,
            "ledger_records": now.ledger_records,
        }
        return JSONResponse(body, 200 if now.takes_calls else 503, {"Cache-Control": "no-store"})

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app
