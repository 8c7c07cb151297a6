"""Where data comes from: `sources.sql(…)`, `.url(…)`, `.files(…)`, `.function(…)`."""

from treadle.data.sources.functions import FunctionSource, function
from treadle.data.sources.patterns import FilesSource, files
from treadle.data.sources.places import FilesAt, url
from treadle.data.sources.ports import Above, DataSource, Fetched, Reading
from treadle.data.sources.queries import SqlSource, sql

__all__ = [
    "Above",
    "DataSource",
    "Fetched",
    "FilesAt",
    "FilesSource",
    "FunctionSource",
    "Reading",
    "SqlSource",
    "files",
    "function",
    "sql",
    "url",
]
