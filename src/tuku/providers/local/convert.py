"""EfficientNet-Lite0 as an ONNX graph, from the weights of its PyTorch port.

Architecture: github.com/tensorflow/tpu, models/official/efficientnet/lite. Against EfficientNet-B0 it has ReLU6 for
swish, no squeeze-and-excitation, and a stem and a head of fixed width. Batch norms are folded into the convolutions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

Array = npt.NDArray[np.float32]

SIDE_PX = 224
CLASSES = 1000
FEATURES = 1280
BATCH_NORM_EPSILON = 1e-3
OPSET = 17
IR_VERSION = 8


class Stage(NamedTuple):
    """Blocks of one kind; only the first of them has the stride, and the change of channels."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels_in: int
    channels_out: int


STAGES = (
    Stage(1, 3, 1, 1, 32, 16),
    Stage(2, 3, 2, 6, 16, 24),
    Stage(2, 5, 2, 6, 24, 40),
    Stage(3, 3, 2, 6, 40, 80),
    Stage(3, 5, 1, 6, 80, 112),
    Stage(4, 5, 2, 6, 112, 192),
    Stage(1, 3, 1, 6, 192, 320),
)


def to_onnx(weights: dict[str, npt.NDArray[Any]]) -> bytes:
    """The serialised model.

    Its input ``pixels`` is RGB uint8 (n, 224, 224, 3); its outputs are ``logits`` float32 (n, 1000) and
    ``features`` float32 (n, 1280), the means of the last feature maps.

    Args:
        weights: the state dict of the port, by its names.
    """
    serialised: bytes = _Graph(weights).build().SerializeToString(deterministic=True)
    return serialised


class _Graph:
    """The graph as it grows: every method adds nodes after `x` and returns the name of the last one's output."""

    def __init__(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[TensorProto] = []

    def build(self) -> ModelProto:
        x = self._normalised("pixels")
        x = self._relu6(self._conv(x, "_conv_stem", "_bn0", stride=2))
        index = 0
        for stage in STAGES:
            for repeat in range(stage.repeats):
                x = self._block(x, f"_blocks.{index}", stage, first=repeat == 0)
                index += 1
        x = self._relu6(self._conv(x, "_conv_head", "_bn1"))
        self._node("Flatten", [self._node("GlobalAveragePool", [x])], output="features")
        weight, bias = self._constant("_fc.weight"), self._constant("_fc.bias")
        self._node("Gemm", ["features", weight, bias], output="logits", transB=1)
        return self._model()

    def _normalised(self, x: str) -> str:
        x = self._node("Cast", [x], to=TensorProto.FLOAT)
        x = self._node("Sub", [x, self._constant("mean", np.float32(127))])
        x = self._node("Div", [x, self._constant("scale", np.float32(128))])
        return self._node("Transpose", [x], perm=[0, 3, 1, 2])

    def _block(self, x: str, name: str, stage: Stage, *, first: bool) -> str:
        block_input = x
        stride = stage.stride if first else 1
        if stage.expansion > 1:
            x = self._relu6(self._conv(x, f"{name}._expand_conv", f"{name}._bn0"))
        x = self._relu6(self._conv(x, f"{name}._depthwise_conv", f"{name}._bn1", stride, depthwise=True))
        x = self._conv(x, f"{name}._project_conv", f"{name}._bn2")
        keeps_shape = stride == 1 and (not first or stage.channels_in == stage.channels_out)
        return self._node("Add", [x, block_input]) if keeps_shape else x

    def _conv(self, x: str, name: str, batch_norm: str, stride: int = 1, *, depthwise: bool = False) -> str:
        kernel, bias = self._folded(name, batch_norm)
        return self._node(
            "Conv",
            [x, self._constant(f"{name}.weight", kernel), self._constant(f"{name}.bias", bias)],
            auto_pad="SAME_UPPER",  # TensorFlow's SAME: an odd pixel of padding goes right and below
            strides=[stride, stride],
            group=kernel.shape[0] if depthwise else 1,
        )

    def _folded(self, name: str, batch_norm: str) -> tuple[Array, Array]:
        gamma, beta, mean, variance = (
            self._weights[f"{batch_norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        kernel = self._weights[f"{name}.weight"] * factor[:, None, None, None]
        return kernel.astype(np.float32), (beta - mean * factor).astype(np.float32)

    def _relu6(self, x: str) -> str:
        return self._node("Clip", [x, self._constant("0", np.float32(0)), self._constant("6", np.float32(6))])

    def _constant(self, name: str, value: Any = None) -> str:
        if name not in {constant.name for constant in self._constants}:
            array = np.asarray(self._weights[name] if value is None else value)
            self._constants.append(numpy_helper.from_array(array, name))
        return name

    def _node(self, operator: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        output = output or f"{operator}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _model(self) -> ModelProto:
        def value(name: str, kind: int, *shape: int) -> Any:
            return helper.make_tensor_value_info(name, kind, ["n", *shape])

        graph = helper.make_graph(
            self._nodes,
            "efficientnet-lite0",
            inputs=[value("pixels", TensorProto.UINT8, SIDE_PX, SIDE_PX, 3)],
            outputs=[
                value("logits", TensorProto.FLOAT, CLASSES),
                value("features", TensorProto.FLOAT, FEATURES),
            ],
            initializer=self._constants,
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="tuku")
        checker.check_model(model)
        return model
