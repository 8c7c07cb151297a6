from __future__ import annotations

import pickle
import subprocess
import sys

from treadle.kernel.late import late

PROGRAM = """
import sys
from treadle.kernel.late import late
colors = late("colorsys")
assert "colorsys" not in sys.modules, "nothing was asked for yet"
assert colors.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
assert "colorsys" in sys.modules
"""


def test_a_module_is_imported_when_something_of_it_is_asked_for():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_what_it_gives_is_the_modules_own():
    json = late("json")

    assert json.JSONDecodeError is __import__("json").JSONDecodeError
    assert "JSONDecodeError" in vars(json), "the next time it is at hand"


def test_it_is_pickled_by_its_name():
    json = late("json")

    assert pickle.loads(pickle.dumps(json)) is __import__("json")  # noqa: S301 - made here
