"""numba's cache on disk, with a checksum in every file: what is damaged is compiled again, and never unpickled."""

import hashlib
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile


class CheckedFile(IndexDataCacheFile):
    """Index and machine code of one function. A truncated, empty or altered file counts as none."""

    def _load_index(self) -> dict[Any, str]:
        with suppress(OSError, ValueError):
            version, stamp, overloads = _read(self._index_path)
            if (version, stamp) == (self._version, self._source_stamp):
                return dict(overloads)
        return {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        try:
            return _read(self._data_path(name))
        except ValueError as error:
            raise OSError(str(error)) from None  # to numba it is a file that has been removed

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _write(self, path: str, value: Any) -> None:
        data = self._dump(value)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(data).digest() + data)


class CheckedCache(FunctionCache):
    """The cache of one function, which can fail without a word: the function is then compiled in this process."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = CheckedFile(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, *arguments: Any) -> Any:
        try:
            return super().load_overload(*arguments)
        except Exception:  # it cannot be read, or is of no use here
            return None

    def save_overload(self, *arguments: Any) -> None:
        with suppress(Exception):  # the disk is full, the folder is gone or read-only
            super().save_overload(*arguments)


def _read(path: str) -> Any:
    """What a file holds.

    Raises:
        ValueError: it is not what was written.
    """
    data = Path(path).read_bytes()
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise ValueError(f"{path}: damaged")
    return pickle.loads(data[32:])
