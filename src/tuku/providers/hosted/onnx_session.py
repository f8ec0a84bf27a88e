"""ONNX sessions for one core each: the pipeline's workers, not the models, share out the cores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuku.errors import ConfigError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_session(model: bytes | Path) -> InferenceSession:
    """A session that computes in the thread that calls it; several threads may call it at once.

    Args:
        model: the serialised model, or a file of the cache.

    Raises:
        ConfigError: a cached file that is no model.
    """
    import onnxruntime

    state = onnxruntime.capi.onnxruntime_pybind11_state
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: its warnings are about the graph, and for its author
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except (state.InvalidProtobuf, state.InvalidArgument, state.InvalidGraph) as error:
        if isinstance(model, bytes):
            raise
        raise ConfigError(f"The converted model {model} is damaged.", "Delete it: it is made anew.") from error
