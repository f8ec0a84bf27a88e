"""Pictures and texts in one vector space, by way of the classifier's tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuku.errors import RowError
from tuku.protocols import ModelDescription, Picture, Usage, Vector, VectorHeard, unheard
from tuku.providers.local import models
from tuku.providers.local.classifier import Prediction
from tuku.providers.local.conse import picture_vector
from tuku.providers.local.features import with_features, without_features


class LocalEmbedder:
    """A `tuku.protocols.Embedder`.

    Args:
        description: of the variant.
        features: whether the vectors have room for image features (see `features`).
    """

    def __init__(self, description: ModelDescription, *, features: bool) -> None:
        self.description = description
        self._features = features
        self._classifier = models.classifier()
        self._text_encoder = models.text_encoder()
        self._class_vectors = models.imagenet_vectors()

    def embed_pictures(self, pictures: Sequence[Picture], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One vector for each picture, in order."""
        return _told(map(self._picture, self._classifier.classify(pictures)), heard)

    def embed_passages(self, texts: Sequence[str], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One vector for each text, in order. Texts beyond 256 tokens are cut."""
        return _told(map(self._text, self._text_encoder.encode(texts)), heard)

    def embed_queries(self, texts: Sequence[str]) -> list[Vector | RowError]:
        """The same as passages: this model was trained on pairs of like sentences."""
        return self.embed_passages(texts)

    def take_usage(self) -> Usage:
        """Nothing: no request leaves the machine."""
        return Usage()

    def _picture(self, prediction: Prediction) -> Vector:
        vector = picture_vector(prediction.logits, self._class_vectors)
        return with_features(vector, prediction.features) if self._features else vector

    def _text(self, vector: Vector) -> Vector:
        return without_features(vector) if self._features else vector


def _told(vectors: Iterable[Vector], heard: VectorHeard) -> list[Vector | RowError]:
    answers: list[Vector | RowError] = []
    for position, vector in enumerate(vectors):
        heard(position, vector)
        answers.append(vector)
    return answers
