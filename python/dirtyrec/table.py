"""What a query returns: columns of numbers in flat memory, so that millions of rows are not millions of objects."""
from __future__ import annotations

import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import numpy
    import pandas
    import pyarrow

Value = Union[int, float, str, bytes, None]


class Column:
    """One column: 64-bit integers, doubles, or objects; ``nulls`` has a 1 for each NULL, or is None when there is none."""

    def __init__(self) -> None:
        self.values: Union[array.array[int], array.array[float], list[Value]] = array.array("q")
        self.nulls: bytearray | None = None

    def extend(self, chunk: Sequence[Value]) -> None:
        if None in chunk:
            if self.nulls is None:
                self.nulls = bytearray(len(self.values))
            self.nulls.extend(value is None for value in chunk)
        elif self.nulls is not None:
            self.nulls.extend(bytes(len(chunk)))
        while not isinstance(self.values, list):
            before = len(self.values)
            try:
                # In flat memory a NULL is a 0 that `nulls` takes back.
                self.values.extend([0 if value is None else value for value in chunk])  # type: ignore[misc]
                return
            except TypeError:
                del self.values[before:]
                self._widen(chunk)
        self.values.extend(chunk)

    def _widen(self, chunk: Sequence[Value]) -> None:
        """To doubles where all are numbers, else to objects."""
        numbers = all(value is None or isinstance(value, (int, float)) for value in chunk)
        if numbers and isinstance(self.values, array.array) and self.values.typecode == "q":
            self.values = array.array("d", self.values)
        else:
            self.values = [
                None if self.nulls and self.nulls[place] else value for place, value in enumerate(self.values)
            ]

    def __getitem__(self, place: int) -> Value:
        return None if self.nulls and self.nulls[place] else self.values[place]


class Table:
    """Rows of a query, column by column. ``table["gfn"]`` is a column's memory; iterating gives rows as tuples."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._columns = [Column() for _ in self.names]

    def extend(self, rows: Sequence[Sequence[Value]]) -> None:
        """Appends rows, each with a value a column."""
        for column, chunk in zip(self._columns, zip(*rows)):
            column.extend(chunk)

    def __len__(self) -> int:
        return len(self._columns[0].values) if self._columns else 0

    def __iter__(self) -> Iterator[tuple[Value, ...]]:
        for place in range(len(self)):
            yield tuple(column[place] for column in self._columns)

    def __getitem__(self, name: str) -> Sequence[Any]:
        """The column's values, NULL as None; flat memory that numpy and others read in place where none is NULL."""
        column = self._columns[self._place(name)]
        if column.nulls is None or isinstance(column.values, list):
            return column.values
        return [column[place] for place in range(len(self))]

    def __repr__(self) -> str:
        return f"<dirtyrec.Table of {len(self)} rows: {', '.join(self.names)}>"

    def _place(self, name: str) -> int:
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(f"there is no column '{name}'; there are {', '.join(self.names)}") from None

    def to_numpy(self) -> dict[str, numpy.ndarray]:
        """An array a column. Integers with NULLs become a masked array, texts an array of objects."""
        import numpy

        arrays: dict[str, numpy.ndarray] = {}
        for name, column in zip(self.names, self._columns):
            if isinstance(column.values, list):
                arrays[name] = numpy.array(column.values, dtype=object)
                continue
            data = numpy.frombuffer(column.values, dtype=column.values.typecode) if len(self) else numpy.empty(0, "q")
            if column.nulls is not None:
                data = numpy.ma.masked_array(data, mask=numpy.frombuffer(column.nulls, dtype=bool))
            arrays[name] = data
        return arrays

    def to_arrow(self) -> pyarrow.Table:
        """A pyarrow table; NULLs stay NULLs."""
        import pyarrow

        arrays = []
        for column in self._columns:
            if isinstance(column.values, list):
                arrays.append(pyarrow.array(column.values))
            elif column.nulls is None:
                kind = pyarrow.int64() if column.values.typecode == "q" else pyarrow.float64()
                arrays.append(pyarrow.Array.from_buffers(kind, len(self), [None, pyarrow.py_buffer(column.values)]))
            else:
                arrays.append(pyarrow.array([column[place] for place in range(len(self))]))
        return pyarrow.Table.from_arrays(arrays, names=self.names)

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame; integers with NULLs are of pandas' type Int64."""
        import pandas

        columns: dict[str, Any] = {}
        data: Any
        for name, data in self.to_numpy().items():
            masked = hasattr(data, "mask")
            if masked and data.dtype.kind == "i":
                columns[name] = pandas.arrays.IntegerArray(data.data.copy(), data.mask.copy())
            else:
                columns[name] = data.filled(float("nan")) if masked else data
        return pandas.DataFrame(columns, columns=self.names)
