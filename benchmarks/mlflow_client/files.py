"""Files in and out by one unmodified MLflow client; run by the Python that has mlflow.

`files.py ADDRESS WORK FOLDER` prints one line of JSON. Nothing here knows whose server answers.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"  # an error is to be seen, not tried again
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
if sys.argv[2] == "parts":
    os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD"] = "true"

from mlflow import MlflowClient

SMALL = 2_000
TAG = "files"


def large(client: MlflowClient, folder: Path) -> dict:
    """Log one large file."""
    return _logged(client, lambda run: client.log_artifact(run, str(folder / "large.bin")))


def small(client: MlflowClient, folder: Path) -> dict:
    """Log a folder of 2,000 small files in nested folders."""
    source = folder / "small"
    for number in range(SMALL):
        file = source / f"part{number // 200}" / f"of{number // 20}" / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{os.urandom(8).hex()} {number}\n" * 20)
    return _logged(client, lambda run: client.log_artifacts(run, str(source), "nested"))


def fetch(client: MlflowClient, folder: Path) -> dict:
    """Fetch all that the newest run has."""
    run = client.search_runs(["0"], f"tags.{TAG} = 'yes'", max_results=1)[0].info.run_id
    target = folder / "fetched"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    begun = time.perf_counter()
    client.download_artifacts(run, "", str(target))
    seconds = time.perf_counter() - begun
    fetched = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
    return {"seconds": seconds, "files": len(fetched), "bytes": sum(fetched)}


def _logged(client: MlflowClient, log) -> dict:
    run = client.create_run("0", tags={TAG: "yes"}).info.run_id
    begun = time.perf_counter()
    log(run)
    return {"seconds": time.perf_counter() - begun}


WORK = {"large": large, "parts": large, "small": small, "fetch": fetch}


if __name__ == "__main__":
    address, work, folder = sys.argv[1:4]
    print(json.dumps(WORK[work](MlflowClient(address), Path(folder))))
