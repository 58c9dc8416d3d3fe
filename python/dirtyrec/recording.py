"""One recording, opened for reading."""
from __future__ import annotations

import inspect
import os
import pathlib
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Union

from .queries import NamedQuery, named_queries, views
from .table import Table, Value

_APPLICATION_ID = 0x44726563
_OPTIONAL_TABLES = {
    "page_content": ("iteration", "gfn", "zero", "changed_words", "xbzrle_bytes", "zstd_bytes", "hash"),
    "harvest_span": ("harvest", "pages"),
    "migration": (
        "attempt", "tool", "line", "ts_ns", "elapsed_ns", "state",
        "pass", "transferred_bytes", "remaining_bytes", "total_bytes", "pass_bytes", "pass_ns",
        "zero_pages", "normal_pages", "page_bytes", "bytes_per_second", "dirty_bytes_per_second", "throttle_percent",
        "setup_ns", "expected_downtime_ns", "downtime_ns", "downtime_limit_ns", "bandwidth_limit", "other",
    ),
}
_NEWEST_SCHEMA = 1
_CHUNK = 1 << 16


class RecordingError(Exception):
    """Why a recording cannot be read or asked: one sentence, and what to do next."""


def open(path: Union[str, os.PathLike[str]], extension: Union[str, os.PathLike[str], None] = None) -> Recording:
    """Opens a recording for reading.

    ``extension`` names ``libdirtyrec_sqlite.so``, which decodes packed entries; without it, it is looked for in
    ``DIRTYREC_EXTENSION``, ``/usr/local/lib`` and ``/usr/lib``. It is only needed for recordings without plain rows.

    Raises RecordingError when the file is no recording, or is of a newer schema.
    """
    return Recording(path, extension)


class Recording:
    """A recording of dirtyrec. Close it, or use it in a ``with`` statement."""

    def __init__(self, path: Union[str, os.PathLike[str]], extension: Union[str, os.PathLike[str], None] = None) -> None:
        self.path = os.fspath(path)
        if not pathlib.Path(self.path).is_file():
            raise RecordingError(f"{self.path} does not exist, or is no file: name a recording")
        uri = pathlib.Path(self.path).absolute().as_uri() + "?mode=ro"
        self._db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            self._open(extension)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise RecordingError(f"{self.path} cannot be read: {error}") from None
        except BaseException:
            self._db.close()
            raise

    def _open(self, extension: Union[str, os.PathLike[str], None]) -> None:
        def one(sql: str) -> Any:
            return self._db.execute(sql).fetchone()[0]

        # What a file says about views and triggers is never run.
        self._db.execute("PRAGMA trusted_schema = OFF")
        if one("PRAGMA application_id") != _APPLICATION_ID:
            raise RecordingError(f"{self.path} is a SQLite file, but no recording of dirtyrec")
        version = one("PRAGMA user_version")
        if version > _NEWEST_SCHEMA:
            raise RecordingError(f"{self.path} is of schema {version}: upgrade this package, which knows {_NEWEST_SCHEMA}")
        plain = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name IN "
        needed = ("recording", "harvest", "iteration", "dirty_entry", "page_summary", "memslot", "vcpu", "loss")
        if one(plain + str(needed)) != len(needed):
            raise RecordingError(f"{self.path} lacks tables of a recording: it is damaged")
        cursor = self._db.execute("SELECT * FROM recording")
        row = cursor.fetchone()
        if row is None:
            raise RecordingError(f"{self.path} was left before its recording began")
        self.info: Mapping[str, Value] = dict(zip((name for name, *_ in cursor.description), row))
        entries = one("SELECT coalesce(max(first_seq + entry_count - 1), 0) FROM harvest")
        self._has_rows = self.info["rows_through"] == entries
        if not self._has_rows and (extension is not None or _extensions()):
            self._shadow_rows(extension)
        for statement in views():
            if self.info["exact_times"]:
                statement = statement.replace(
                    "h.ts_ns AS ts_ns", "(SELECT t.ts_ns FROM entry_time AS t WHERE t.seq = e.seq) AS ts_ns")
            self._db.execute(statement.replace("CREATE VIEW", "CREATE TEMP VIEW"))
        # Only recordings that asked for them have these tables; in queries the others have them empty.
        for table, names in _OPTIONAL_TABLES.items():
            if not one(f"SELECT count(*) FROM main.sqlite_schema WHERE name = '{table}'"):
                columns = ", ".join(f"NULL AS {name}" for name in names)
                self._db.execute(f"CREATE TEMP VIEW {table} AS SELECT {columns} WHERE 0")
        self._db.execute("PRAGMA query_only = ON")

    def _shadow_rows(self, extension: Union[str, os.PathLike[str], None]) -> None:
        """Puts decoded segments in the place of plain rows."""
        if not hasattr(self._db, "enable_load_extension"):
            return
        names = [os.fspath(extension)] if extension is not None else _extensions()
        self._db.enable_load_extension(True)
        try:
            self._db.load_extension(names[0])
        except sqlite3.OperationalError as error:
            if extension is not None:
                raise RecordingError(f"{names[0]} cannot be loaded: {error}") from None
            return
        finally:
            self._db.enable_load_extension(False)
        self._db.execute("CREATE TEMP VIEW dirty_entry AS SELECT seq, gfn FROM _segment_entry")
        self._db.execute("CREATE TEMP VIEW entry_time AS SELECT seq, ts_ns FROM _segment_entry")
        self._has_rows = True

    def close(self) -> None:
        """Closes the file; tables that it gave stay valid."""
        self._db.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<dirtyrec.Recording {self.path}: {self.info['guest']!s}>"

    # What it holds

    def entries(
        self, *, vcpu: int | None = None, iterations: tuple[int, int] | None = None,
        columns: tuple[str, ...] = ("seq", "iteration", "vcpu", "ts_ns", "gfn"),
    ) -> Table:
        """The harvested entries, of one vCPU or of iterations first…last if told, with these columns of the view ``dirty``.

        Raises RecordingError when the recording has no plain rows and the extension cannot decode its segments.
        """
        self._need_rows()
        cursor = self._db.execute("SELECT * FROM dirty LIMIT 0")
        known = [name for name, *_ in cursor.description]
        for name in columns:
            if name not in known:
                raise RecordingError(f"entries have no column '{name}'; they have {', '.join(known)}")
        conditions, values = [], []
        if vcpu is not None:
            conditions.append("vcpu = ?")
            values.append(vcpu)
        if iterations is not None:
            conditions.append("iteration BETWEEN ? AND ?")
            values += iterations
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self.sql(f"SELECT {', '.join(columns)} FROM dirty{where}", values)

    def iterations(self) -> Table:
        """Every iteration with its costs and, once the recording has ended, its counts."""
        return self.sql("SELECT * FROM iteration LEFT JOIN iteration_summary ON iteration_summary.iteration = iteration.id ORDER BY id")

    def pages(self) -> Table:
        """Every dirtied page with its counts; empty until the recording has ended."""
        return self.sql("SELECT * FROM page_summary ORDER BY gfn")

    def losses(self) -> Table:
        """What may have made an entry disappear."""
        return self.sql("SELECT * FROM loss ORDER BY ts_ns")

    def query(self, name: str, **settings: Value) -> Table:
        """The answer of a named query such as ``pages/hottest``; settings may be texts with units (``bandwidth="10Gbit/s"``)."""
        try:
            query = named_queries()[name]
        except KeyError:
            raise RecordingError(f"there is no query '{name}'; there are {', '.join(named_queries())}") from None
        if "dirty" in query.sql:
            self._need_rows()
        return self.sql(query.sql, query.bind(settings))

    @property
    def queries(self) -> _Area:
        """The named queries as functions with their documentation: ``recording.queries.pages.hottest(limit=5)``."""
        return _Area(self, named_queries())

    def sql(self, statement: str, parameters: Any = ()) -> Table:
        """The rows of one SELECT; nothing can be written."""
        try:
            cursor = self._db.execute(statement, parameters)
            table = Table([name for name, *_ in cursor.description or ()])
            while rows := cursor.fetchmany(_CHUNK):
                table.extend(rows)
        except sqlite3.Error as error:
            raise RecordingError(f"{self.path}: {error}") from None
        return table

    def _need_rows(self) -> None:
        if not self._has_rows:
            raise RecordingError(
                f"{self.path} has no plain rows: make them with 'dirtyrec rows', or name libdirtyrec_sqlite.so as extension= "
                "in a Python that can load extensions")


def _extensions() -> list[str]:
    """Where the extension lies."""
    given = os.environ.get("DIRTYREC_EXTENSION")
    # Where `make install` and the package put it.
    folders = ["/usr/local/lib", "/usr/lib", "/usr/lib/dirtyrec"]
    places = [given] if given else [f"{folder}/libdirtyrec_sqlite.so" for folder in folders]
    return [place for place in places if os.path.exists(place)]


class _Area:
    """Named queries whose names begin alike."""

    def __init__(self, recording: Recording, queries: Mapping[str, NamedQuery]) -> None:
        for area in {name.split("/")[0] for name in queries}:
            members = {name.split("/", 1)[1]: query for name, query in queries.items() if name.startswith(area + "/")}
            setattr(self, area, _Functions(recording, members))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(vars(self)))


class _Functions:
    def __init__(self, recording: Recording, queries: Mapping[str, NamedQuery]) -> None:
        for name, query in queries.items():
            setattr(self, name, _function(recording, name, query))


def _function(recording: Recording, name: str, query: NamedQuery) -> Any:
    def run(**settings: Value) -> Table:
        return recording.query(query.name, **settings)

    run.__name__ = run.__qualname__ = name
    columns = "\n".join(f"    {column}: {meaning}" for column, meaning in query.columns)
    parameters = "\n".join(f"    {item.name} ({item.kind}, {item.default}): {item.description}" for item in query.parameters)
    run.__doc__ = f"{query.description}\n\nParameters\n{parameters or '    none'}\n\nColumns\n{columns}\n"
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default) for item in query.parameters],
        return_annotation=Table)
    return run
