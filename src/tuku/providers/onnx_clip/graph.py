"""What an ONNX file takes and gives, read without loading its weights into a session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuku.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_VECTORS = ("embeds", "features", "embedding")
_PICTURES_RANK, _VECTORS_RANK = 4, 2

Shape = tuple[int | None, ...]
"""None where any length will do."""


@dataclass(frozen=True)
class Graph:
    """An encoder's ends.

    Attributes:
        path: of the file.
        inputs: shapes by name.
        vectors: the name of the output that holds them.
        dim: their length; None if the file does not say.
    """

    path: Path
    inputs: Mapping[str, Shape]
    vectors: str
    dim: int | None

    @classmethod
    def read(cls, path: Path) -> Graph:
        """Look into a file.

        Raises:
            ConfigError: it is no ONNX file, or gives no vectors.
        """
        import onnx
        from google.protobuf.message import DecodeError

        try:
            graph = onnx.load(str(path), load_external_data=False).graph
        except (DecodeError, OSError, ValueError) as error:
            raise ConfigError(f"{path} is no ONNX file: {type(error).__name__}.", "Export the model again.") from None
        outputs = {each.name: _shape(each) for each in graph.output}
        vectors = [name for name, shape in outputs.items() if len(shape) == _VECTORS_RANK]
        vectors.sort(key=lambda name: not any(word in name for word in _VECTORS))
        if not vectors:
            raise ConfigError(
                f"{path} gives no vectors: its outputs are {', '.join(outputs)}.",
                "Export the encoder with its projection, so that it gives (batch, dim).",
            )
        weights = {each.name for each in graph.initializer}
        inputs = {each.name: _shape(each) for each in graph.input if each.name not in weights}
        return cls(path, inputs, vectors[0], outputs[vectors[0]][1])

    @property
    def takes_pictures(self) -> bool:
        """Whether an input has four dimensions."""
        return any(len(shape) == _PICTURES_RANK for shape in self.inputs.values())

    @property
    def batch(self) -> int | None:
        """How many inputs it takes at a time; None for any number."""
        return next(iter(self.inputs.values()))[0]


def _shape(value: Any) -> Shape:
    dimensions = value.type.tensor_type.shape.dim
    return tuple(each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None for each in dimensions)
