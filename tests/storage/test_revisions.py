from __future__ import annotations

import subprocess
import sys

from alembic.script import ScriptDirectory

from treadle.storage.metadata import newest_revision, open_metadata
from treadle.storage.migrations import SCRIPTS


def test_the_newest_file_is_the_head_of_the_history():
    assert ScriptDirectory(str(SCRIPTS)).get_current_head() == newest_revision()


def test_a_store_that_is_current_is_opened_without_alembic(tmp_path):
    url = f"sqlite:///{tmp_path / 'treadle.db'}"
    open_metadata(url).close()
    code = (
        "import sys; from treadle.storage.metadata import open_metadata; "
        f"open_metadata({url!r}).close(); print('alembic' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
