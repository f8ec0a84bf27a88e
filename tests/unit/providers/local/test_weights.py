"""The reader of PyTorch's legacy files, on files written here byte by byte."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from tuku.providers.local.weights import MAGIC_NUMBER, PROTOCOL_VERSION, WeightsError, read_state_dict


class Global:
    """Pickled as the bare name of something in another module."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Storage:
    def __init__(self, numbers: np.ndarray, kind: str = "FloatStorage", key: str = "7") -> None:
        self.numbers, self.kind, self.key = numbers, kind, key


class Tensor:
    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_tensor_v2, self.arguments


def _rebuild_tensor_v2(*_: object) -> None:
    """Stands for the function of torch._utils, whose name goes into the file."""


class Pickler(pickle._Pickler):  # the one in Python: it lets names be written that cannot be imported here
    def persistent_id(self, obj: object) -> object:
        if isinstance(obj, Storage):
            return ("storage", Global("torch", obj.kind), obj.key, "cpu", len(obj.numbers), None)
        return None

    def save(self, obj: Any, *arguments: Any, **options: Any) -> None:
        if obj is _rebuild_tensor_v2:
            obj = Global("torch._utils", "_rebuild_tensor_v2")
        if isinstance(obj, Global):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, *arguments, **options)


def legacy_file(state: object, *storages: Storage, magic: int = MAGIC_NUMBER) -> bytes:
    file = BytesIO()
    for part in (magic, PROTOCOL_VERSION, {"little_endian": True}, state, [storage.key for storage in storages]):
        Pickler(file, 2).dump(part)
    for storage in storages:
        file.write(len(storage.numbers).to_bytes(8, "little") + storage.numbers.tobytes())
    return file.getvalue()


NUMBERS = Storage(np.arange(6, dtype="<f4"))


def test_strides_and_offsets_are_honoured() -> None:
    state = OrderedDict(
        plain=Tensor(NUMBERS, 0, (2, 3), (3, 1)),
        transposed=Tensor(NUMBERS, 0, (2, 3), (1, 2)),
        tail=Tensor(NUMBERS, 4, (2,), (1,)),
        scalar=Tensor(NUMBERS, 5, (), ()),
    )
    read = read_state_dict(legacy_file(state, NUMBERS))
    assert read["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read["transposed"].tolist() == [[0, 2, 4], [1, 3, 5]]
    assert read["transposed"].flags.c_contiguous
    assert read["tail"].tolist() == [4, 5]
    assert read["scalar"] == 5


def test_each_storage_has_its_own_type() -> None:
    counts = Storage(np.array([2**40], "<i8"), "LongStorage", "8")
    state = OrderedDict(a=Tensor(NUMBERS, 0, (6,), (1,)), b=Tensor(counts, 0, (1,), (1,)))
    read = read_state_dict(legacy_file(state, NUMBERS, counts))
    assert (read["a"].dtype, read["b"].dtype) == (np.float32, np.int64)
    assert read["b"].tolist() == [2**40]


@pytest.mark.parametrize(
    "tensor", [(0, (7,), (1,)), (5, (2,), (1,)), (0, (2,), (-1,)), (-1, (1,), (1,)), (0, (3, 3), (3, 1))]
)
def test_a_tensor_cannot_reach_beyond_its_storage(tensor: tuple[Any, Any, Any]) -> None:
    with pytest.raises(WeightsError, match="beyond"):
        read_state_dict(legacy_file(OrderedDict(a=Tensor(NUMBERS, *tensor)), NUMBERS))


@pytest.mark.parametrize(
    "name", [("os", "system"), ("builtins", "eval"), ("torch", "load"), ("collections", "Counter")]
)
def test_a_file_cannot_name_anything_else(name: tuple[str, str]) -> None:
    with pytest.raises(WeightsError, match=f"asks for {name[0]}.{name[1]}"):
        read_state_dict(legacy_file(OrderedDict(a=Global(*name))))


def test_a_file_cut_short_is_refused_wherever_it_is_cut() -> None:
    whole = legacy_file(OrderedDict(a=Tensor(NUMBERS, 0, (6,), (1,))), NUMBERS)
    for length in range(0, len(whole), 5):
        with pytest.raises(WeightsError):
            read_state_dict(whole[:length])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip file", b"\x80\x02K\x01.", legacy_file({}, magic=1)])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(WeightsError):
        read_state_dict(content)
