"""The named queries of dirtyrec, read from the same files that ``dirtyrec sql --query`` runs."""
from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
from fractions import Fraction
from typing import Union

from .table import Value

_here = pathlib.Path(__file__).parent
#: In a wheel the SQL lies beside this file; in a clone it is the repository's.
_schemas = _here / "schemas" if (_here / "schemas").is_dir() else _here.parent.parent / "schemas"

_units: dict[str, dict[str, Union[int, Fraction]]] = {
    "duration": {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9},
    "size": {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
             "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40},
    "bandwidth": {"bit/s": Fraction(1, 8), "kbit/s": 125, "Mbit/s": 125 * 10**3, "Gbit/s": 125 * 10**6,
                  "B/s": 1, "kB/s": 10**3, "MB/s": 10**6, "GB/s": 10**9, "KiB/s": 1 << 10, "MiB/s": 1 << 20, "GiB/s": 1 << 30},
}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A value that the caller may set; ``kind`` is integer, real, text, duration, size or bandwidth."""

    name: str
    kind: str
    default: str
    description: str

    def value(self, given: Union[Value, None] = None) -> Value:
        """What SQL gets: nanoseconds, bytes, bytes per second, or the value itself. A number is taken as it is."""
        if given is not None and not isinstance(given, str):
            return given
        text = self.default if given is None else given
        if text == "none":
            return None
        try:
            if self.kind == "integer":
                return int(text, 0)
            if self.kind == "real":
                return float(text)
            if self.kind in _units:
                match = re.fullmatch(r"([0-9.]+)\s*(\S+)", text)
                if match:
                    return int(Fraction(match[1]) * _units[self.kind][match[2]])
                return int(text)
        except (KeyError, ValueError):
            raise ValueError(f"parameter '{self.name}' cannot be '{text}': it is a {self.kind}") from None
        return text


@dataclasses.dataclass(frozen=True)
class NamedQuery:
    """A question that comes with dirtyrec: documented parameters and columns, and its statement."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    columns: tuple[tuple[str, str], ...]
    sql: str

    def bind(self, settings: dict[str, Value]) -> dict[str, Value]:
        """Values for every parameter: those set, and the defaults of the others."""
        known = {parameter.name for parameter in self.parameters}
        for name in settings:
            if name not in known:
                has = ", ".join(sorted(known)) or "none"
                raise TypeError(f"{self.name} has no parameter '{name}'; it has {has}")
        return {parameter.name: parameter.value(settings.get(parameter.name)) for parameter in self.parameters}


@functools.lru_cache(maxsize=None)
def named_queries() -> dict[str, NamedQuery]:
    """Every named query by name, such as ``pages/hottest``."""
    folder = _schemas / "queries"
    files = sorted(folder.glob("*/*.sql"))
    return {query.name: query for query in (_parse(f"{file.parent.name}/{file.stem}", file) for file in files)}


def views() -> list[str]:
    """The statements that make the public views, one each."""
    statements: list[str] = []
    for file in sorted((_schemas / "views").glob("*.sql")):
        text = "\n".join(line for line in file.read_text("utf-8").splitlines() if not line.startswith("--"))
        statements += [statement.strip() for statement in text.split(";") if statement.strip()]
    return statements


def _parse(name: str, file: pathlib.Path) -> NamedQuery:
    sql = file.read_text("utf-8")
    sections: dict[str, list[tuple[str, str]]] = {"Parameters": [], "Columns": []}
    description: list[str] = []
    section = None
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        text = line[3:]
        if text.strip() in sections:
            section = sections[text.strip()]
        elif section is None:
            description.append(text)
        elif match := re.fullmatch(r"  (\S+)\s+(.*)", text):
            section.append((match[1], match[2]))
        elif text.strip():
            section[-1] = (section[-1][0], section[-1][1] + " " + text.strip())
    return NamedQuery(
        name, " ".join(" ".join(description).split()), tuple(_parameter(*item) for item in sections["Parameters"]),
        tuple(sections["Columns"]), sql)


def _parameter(name: str, text: str) -> Parameter:
    kind, _, rest = text.partition(" = ")
    default, _, description = rest.partition(". ")
    return Parameter(name, kind, default.removesuffix("."), description)
