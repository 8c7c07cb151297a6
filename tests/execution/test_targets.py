from __future__ import annotations

import pytest

from treadle.execution.targets import check_target, load_file, resolve
from treadle.kernel.errors import InvalidInput, NotFound


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "flow.py"
    path.write_text("def train():\n    return 'trained'\n")
    return path


def test_a_function_of_a_file_is_found(file):
    assert resolve(f"{file}:train")() == "trained"


def test_a_function_of_a_package_is_found():
    assert resolve("treadle.kernel.ids:new_id")() != ""


def test_a_file_is_imported_once(file):
    assert load_file(file) is load_file(file)


def test_files_of_the_same_name_do_not_take_each_others_place(file, tmp_path):
    other = tmp_path / "other" / "flow.py"
    other.parent.mkdir()
    other.write_text("def train():\n    return 'another'\n")

    assert (resolve(f"{file}:train")(), resolve(f"{other}:train")()) == ("trained", "another")


def test_a_file_imports_its_neighbours(tmp_path):
    (tmp_path / "neighbour_of_flow.py").write_text("VALUE = 7\n")
    (tmp_path / "flow.py").write_text(
        "from neighbour_of_flow import VALUE\ndef train():\n    return VALUE\n"
    )

    assert resolve(f"{tmp_path / 'flow.py'}:train")() == 7


def test_a_misspelt_function_is_answered_with_the_near_miss(file):
    with pytest.raises(NotFound, match="'train'"):
        resolve(f"{file}:trian")


def test_a_missing_file_is_answered_with_the_near_miss(file):
    with pytest.raises(NotFound, match=r"flow\.py"):
        resolve(f"{file.with_name('flows.py')}:train")


def test_a_missing_module_is_not_found():
    with pytest.raises(NotFound, match=r"treadle\.kernel\.id'.*treadle\.kernel\.ids"):
        resolve("treadle.kernel.id:new_id")


def test_a_module_that_misses_another_says_which(tmp_path):
    (tmp_path / "flow.py").write_text("import no_such_library\n")

    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        resolve(f"{tmp_path / 'flow.py'}:train")


def test_a_file_that_failed_to_import_is_tried_anew(file):
    file.write_text("raise RuntimeError('broken')\n")
    with pytest.raises(RuntimeError, match="broken"):
        load_file(file)

    file.write_text("def train():\n    return 'mended, at last'\n")

    assert resolve(f"{file}:train")() == "mended, at last"


@pytest.mark.parametrize("target", ["", "train", ":train", "file.py:", "file.py:not a name"])
def test_what_names_no_function_is_refused(target):
    with pytest.raises(InvalidInput, match="does not name a function"):
        check_target(target)
