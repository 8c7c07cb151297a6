"""Files as MLflow's client logged them, for a registry without a tracking server."""

from __future__ import annotations

from treadle.data.entities import FileEntry
from treadle.storage.objects import put_bytes


class OneRun:
    """A shelf with one run, and the files that were logged to it."""

    def __init__(self, files):
        self._files = files

    def run_root(self, run_id):
        return f"mlflow-artifacts:/0/{run_id}/artifacts"

    def files(self, uri):
        return self._files


def put_folder(objects, folder):
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = []
    for path in paths:
        info = put_bytes(objects, path.read_bytes())
        name = path.relative_to(folder).as_posix()
        files.append(FileEntry(path=name, digest=info.digest, size_bytes=info.size_bytes))
    return tuple(files)
