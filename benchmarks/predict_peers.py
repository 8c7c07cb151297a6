"""What our endpoint is compared with: the same estimator behind bare web frameworks.

Run by `bench_predict.py` as a process of its own: `predict_peers.py KIND MODEL PORT`, where KIND is
`starlette` or `fastapi` (by the Python that has it). Both take Open Inference requests, make a
frame of the columns, ask the estimator and answer; nothing is checked, logged or counted.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import uvicorn


def answered(model: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Return what the estimator says of a request, in the protocol's form."""
    frame = pd.DataFrame({each["name"]: each["data"] for each in request["inputs"]})
    values = model.predict_proba(frame)[:, 1].tolist()
    outputs = [{"name": "y", "datatype": "FP64", "shape": [len(values)], "data": values}]
    return {"model_name": "bench", "outputs": outputs}


def by_starlette(model: Any) -> Any:
    """Return the least that one writes with Starlette."""
    from starlette.applications import Starlette  # noqa: PLC0415 - only one of both is there
    from starlette.responses import JSONResponse, PlainTextResponse  # noqa: PLC0415 - only one of both is there
    from starlette.routing import Route  # noqa: PLC0415 - only one of both is there

    async def infer(request: Any) -> Any:
        return JSONResponse(answered(model, json.loads(await request.body())))

    async def health(_request: Any) -> Any:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[Route("/v2/models/bench/infer", infer, methods=["POST"]), Route("/health", health)]
    )


def by_fastapi(model: Any) -> Any:
    """Return what FastAPI's documentation shows: a typed body, a plain function in its threads."""
    from fastapi import FastAPI  # noqa: PLC0415 - only one of both is there
    from pydantic import BaseModel  # noqa: PLC0415 - only one of both is there

    class Tensor(BaseModel):
        name: str
        shape: list[int]
        datatype: str
        data: list[float]

    class Asked(BaseModel):
        inputs: list[Tensor]

    app = FastAPI()

    def infer(request: Asked) -> Any:
        return answered(model, request.model_dump())

    infer.__annotations__ = {"request": Asked, "return": Any}
    app.post("/v2/models/bench/infer")(infer)

    @app.get("/health")
    def health() -> str:
        return "ok"

    return app


if __name__ == "__main__":
    kind, path, port = sys.argv[1:]
    estimator = pickle.loads(Path(path).read_bytes())  # noqa: S301 - the benchmark wrote it
    made = {"starlette": by_starlette, "fastapi": by_fastapi}[kind](estimator)
    uvicorn.run(made, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
