"""Where a PyTorch model computes, in which numbers, and in batches that fit its memory. Imports PyTorch when used."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tuku.errors import ConfigError, TukuError

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

_log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Device:
    """A processor or a GPU, for the inputs of one model. Safe to use from several threads.

    Attributes:
        torch_device: as PyTorch has it.
        dtype: of weights and sums.
        batch_size: how many inputs are computed together at most; less where that did not fit the memory.
        turn: held while a batch is computed: two at once would need twice the memory. A GPU is only told what to
            compute meanwhile; whoever waits for what came of it lets the next one have its turn.
    """

    torch_device: torch.device
    dtype: torch.dtype
    batch_size: int
    turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, device: str, dtype: str, batch_size: int | None, on_cpu: int = 16, on_gpu: int = 128) -> Device:
        """As configured; it is the worker's process that looks for a GPU, never the driver's.

        Args:
            device: ``auto`` (a GPU if this process may use one), ``cpu`` or ``cuda``.
            dtype: ``float32``, ``float16`` or ``bfloat16``.
            batch_size: None for what usually fits:
            on_cpu: on a processor, and
            on_gpu: on a GPU.

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
            batch_size or (on_gpu if there else on_cpu),
        )

    def in_batches(self, inputs: Sequence[T], compute: Callable[[Sequence[T]], Iterable[R]]) -> list[R]:
        """One outcome for each input, in order; where a batch does not fit the GPU's memory, by halves.

        Raises:
            TukuError: not even one fits.
        """
        outcomes: list[R] = []
        while len(outcomes) < len(inputs):
            size = self.batch_size
            found = self._computed(inputs[len(outcomes) : len(outcomes) + size], compute)
            if found is not None:
                outcomes.extend(found)
                continue
            if size == 1:
                raise TukuError(
                    "The GPU has no memory left for a single input.", "Use a GPU with more memory, or dtype bfloat16."
                )
            self.batch_size = min(self.batch_size, max(1, size // 2))  # another thread may have halved it already
            _log.warning("The GPU's memory is too small for this batch: %d at a time from here.", self.batch_size)
        return outcomes

    def _computed(self, inputs: Sequence[T], compute: Callable[[Sequence[T]], Iterable[R]]) -> Iterable[R] | None:
        import torch

        try:
            with torch.inference_mode():
                return compute(inputs)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return None

    def sent(self, values: npt.NDArray[Any]) -> torch.Tensor:
        """An array on its way to where it is computed; nobody waits for it to arrive."""
        import torch

        here = torch.from_numpy(values)
        if self.torch_device.type == "cuda":
            here = here.pin_memory()  # only from there does the GPU fetch it by itself
        return here.to(self.torch_device, non_blocking=True)
