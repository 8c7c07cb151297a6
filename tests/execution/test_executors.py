from __future__ import annotations

import pytest

from treadle.execution.inprocess import InProcess
from treadle.testing.executors import ExecutorContract


class TestInProcess(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path):
        return InProcess(home=tmp_path)


class TestWorkerProcesses(ExecutorContract):
    @pytest.fixture
    def executor(self, pool):
        return pool
