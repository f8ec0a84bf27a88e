"""The converted classifier, against PyTorch's numbers and on photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from contract.pictures import noise, photograph, picture
from tuku.providers.local import models
from tuku.providers.local.class_names import imagenet_classes
from tuku.providers.local.classifier import Classifier, centre_crop, converted_model


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return models.classifier()


def test_same_numbers_as_pytorch(classifier: Classifier) -> None:
    # Computed once with torch 2.15 from the same .pth file and the layers written out by hand.
    y, x = np.mgrid[0:256, 0:300]
    pixels = np.stack([y, x % 256, (x * y // 64) % 256], axis=-1).astype(np.uint8)
    (prediction,) = classifier.classify([picture(pixels)])
    expected = [0.03664359, -0.4932035, -0.42328483, -1.1086047, 0.9177512, -0.01817765]
    np.testing.assert_allclose(prediction.logits[:6], expected, atol=1e-4)
    np.testing.assert_allclose(
        prediction.logits[[818, 644, 673, 619]], [6.20686, 5.951721, 5.0403085, 4.832039], atol=1e-4
    )
    np.testing.assert_allclose(
        prediction.features[[113, 897, 755, 989]], [4.8383365, 4.5602503, 3.8083632, 3.7810838], atol=1e-4
    )
    assert np.argsort(-prediction.logits)[:4].tolist() == [818, 644, 673, 619]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("coffee.png", {"espresso", "tea cup", "coffee mug"}),
        ("chelsea.png", {"tiger cat", "Egyptian cat", "tabby cat"}),
        ("rocket.jpg", {"missile", "space shuttle"}),
        ("motorcycle_left.png", {"moped", "motor scooter"}),
        ("camera.png", {"tripod", "reflex camera"}),
    ],
)
def test_knows_what_is_on_a_photograph(classifier: Classifier, name: str, words: set[str]) -> None:
    (prediction,) = classifier.classify([photograph(name)])
    assert imagenet_classes()[int(prediction.logits.argmax())].name in words


class CountingSession:
    def __init__(self, session: Any) -> None:
        self.session, self.runs = session, 0

    def run(self, outputs: Sequence[str], inputs: dict[str, Any]) -> Any:
        self.runs += 1
        return self.session.run(outputs, inputs)


def test_a_picture_is_classified_once() -> None:
    classifier = Classifier(converted_model())
    session = classifier._session = CountingSession(classifier._session)
    pictures = [noise(51), noise(52), noise(51)]
    first, again = classifier.classify(pictures), classifier.classify(pictures)
    assert session.runs == 2
    assert first[0] is first[2] is again[0]


def test_the_crop_is_the_middle() -> None:
    pixels = np.arange(256 * 300 * 3, dtype=np.uint32).astype(np.uint8).reshape(256, 300, 3)
    assert np.array_equal(centre_crop(pixels), pixels[16:240, 38:262])
    assert np.array_equal(centre_crop(pixels.transpose(1, 0, 2)), pixels.transpose(1, 0, 2)[38:262, 16:240])


def test_a_large_picture_is_cropped_as_if_it_were_reduced_first() -> None:
    square = np.zeros((512, 512, 3), np.uint8)
    square[32:480, 32:480] = 255  # what the crop of a picture with a short side of 512 px shows
    wide = np.concatenate([np.zeros((512, 100, 3), np.uint8), square, np.zeros((512, 100, 3), np.uint8)], axis=1)
    for pixels in (square, wide):
        cropped = centre_crop(pixels)
        assert cropped.shape == (224, 224, 3)
        assert cropped[2:-2, 2:-2].min() == 255
