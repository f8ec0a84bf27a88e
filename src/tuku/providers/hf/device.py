"""Where a PyTorch model computes, in which numbers, and in batches that fit its memory. Imports PyTorch when used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from tuku.errors import ConfigError, TukuError

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)
T = TypeVar("T")

_ON_CPU, _ON_GPU = 16, 128
"""Pictures or texts computed together, if nobody says otherwise."""


@dataclass(frozen=True)
class Device:
    """A processor or a GPU.

    Attributes:
        torch_device: as PyTorch has it.
        dtype: of weights and sums.
        batch_size: how many inputs are computed together at most.
    """

    torch_device: torch.device
    dtype: torch.dtype
    batch_size: int

    @classmethod
    def of(cls, device: str, dtype: str, batch_size: int | None) -> Device:
        """As configured; it is the worker's process that looks for a GPU, never the driver's.

        Args:
            device: ``auto`` (a GPU if this process may use one), ``cpu`` or ``cuda``.
            dtype: ``float32``, ``float16`` or ``bfloat16``.
            batch_size: None for what usually fits.

        Raises:
            ConfigError: ``cuda``, and there is no GPU for this process; or half precision on a processor.
        """
        import torch

        there = device != "cpu" and torch.cuda.is_available()
        if device == "cuda" and not there:
            raise ConfigError(
                "device is cuda, and this process sees no GPU.",
                "Give workers one (runtime.worker_gpus: 1), or set device to auto or cpu.",
            )
        if dtype == "float16" and not there:
            raise ConfigError("dtype float16 needs a GPU; this process has none.", "Set dtype to float32 or bfloat16.")
        return cls(
            torch.device("cuda" if there else "cpu"),
            getattr(torch, dtype),
            batch_size or (_ON_GPU if there else _ON_CPU),
        )

    def in_batches(
        self, inputs: Sequence[T], compute: Callable[[Sequence[T]], npt.NDArray[np.float32]]
    ) -> npt.NDArray[np.float32]:
        """One row for each input, in order; where a batch does not fit the GPU's memory, by halves.

        Raises:
            TukuError: not even one fits.
        """
        rows: list[npt.NDArray[np.float32]] = []
        size, start = self.batch_size, 0
        while start < len(inputs):
            found = self._computed(inputs[start : start + size], compute)
            if found is None:
                if size == 1:
                    raise TukuError(
                        "The GPU has no memory left for a single input.",
                        "Use a GPU with more memory, or dtype float16.",
                    )
                size = max(1, size // 2)
                _log.warning("The GPU's memory is too small for this batch: %d at a time from here.", size)
                continue
            rows.append(found)
            start += size
        return np.concatenate(rows)

    def _computed(
        self, inputs: Sequence[T], compute: Callable[[Sequence[T]], npt.NDArray[np.float32]]
    ) -> npt.NDArray[np.float32] | None:
        import torch

        try:
            with torch.inference_mode():
                return compute(inputs)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return None
