"""Reads a PyTorch state dict in its legacy file format, without PyTorch and without trusting the pickle.

The format (torch/serialization.py, ``_legacy_save``) is a sequence of pickles: magic number, protocol version,
machine, the object itself, the keys of its storages; then for each storage an int64 count and its raw numbers.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

import numpy as np
import numpy.typing as npt

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
STORAGES: dict[str, str] = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class WeightsError(ValueError):
    """The file is not a legacy state dict, or asks for more than tensors."""


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements

    def of(self, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.strides)) < 0 or min(self.shape, default=1) < 1 or last >= len(numbers):
            raise WeightsError("a tensor reaches beyond its storage")
        steps = [stride * numbers.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps)
        return np.ascontiguousarray(view)


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _TensorsOnly(pickle.Unpickler):
    """Knows ordered dicts and tensors, and refuses every other name: a pickle may otherwise run any code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise WeightsError(f"the file asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, count, *_view = pid
        if kind != "storage":
            raise WeightsError(f"the file holds a {kind}")
        return _Storage(key, dtype, count)


def read_state_dict(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Every tensor of the file by name, contiguous, in the type it is stored in.

    Raises:
        WeightsError: not a legacy state dict, cut short, or asking for anything but tensors.
    """
    file = BytesIO(content)
    try:
        if (_unpickle(file), _unpickle(file)) != (MAGIC_NUMBER, PROTOCOL_VERSION):
            raise WeightsError("not in PyTorch's legacy format")
        _unpickle(file)  # the machine that wrote it; the numbers are little-endian on all that matter
        tensors = cast("dict[str, _Tensor]", _unpickle(file))
        keys = cast("list[str]", _unpickle(file))
        by_key = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        numbers = {key: _read_numbers(file, by_key[key]) for key in keys}
        return {name: tensor.of(numbers[tensor.storage.key]) for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(f"not a PyTorch state dict: {error}") from error


def _unpickle(file: BytesIO) -> Any:
    return _TensorsOnly(file).load()


def _read_numbers(file: BytesIO, storage: _Storage) -> npt.NDArray[Any]:
    size = np.dtype(storage.dtype).itemsize * storage.count
    count, raw = file.read(8), file.read(size)
    if int.from_bytes(count, "little") != storage.count or len(raw) != size:
        raise WeightsError(f"storage {storage.key} is cut short")
    return np.frombuffer(raw, dtype=storage.dtype)
