"""Captions from the classifier's tags."""

from __future__ import annotations

from collections.abc import Sequence

from tuku.errors import RowError
from tuku.protocols import Caption, CaptionHeard, ModelDescription, Picture, Usage, unheard
from tuku.providers.local import models
from tuku.providers.local.class_names import imagenet_classes
from tuku.providers.local.conse import probabilities
from tuku.providers.local.wording import caption


class LocalCaptioner:
    """A `tuku.protocols.Captioner`."""

    def __init__(self, description: ModelDescription) -> None:
        self.description = description
        self._classifier = models.classifier()
        self._names = [imagenet_class.name for imagenet_class in imagenet_classes()]

    def caption(self, pictures: Sequence[Picture], heard: CaptionHeard = unheard) -> list[Caption | RowError]:
        """One caption for each picture, in order."""
        captions: list[Caption | RowError] = []
        for position, prediction in enumerate(self._classifier.classify(pictures)):
            answer = caption(probabilities(prediction.logits), self._names)
            heard(position, answer)
            captions.append(answer)
        return captions

    def take_usage(self) -> Usage:
        """Nothing: no request leaves the machine."""
        return Usage()
