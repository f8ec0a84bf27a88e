from __future__ import annotations

import numpy as np
import pytest

from tuku.providers.local.class_names import imagenet_classes
from tuku.providers.local.wording import _WITHOUT_ARTICLE, caption, with_article

NAMES = ["coffee mug", "tea cup", "espresso", "missile", "missile", "hourglass", "jeans"]


def said(**shares: float) -> tuple[str, tuple[str, ...]]:
    """The caption where classes have these probabilities, and all others share the rest."""
    probabilities = np.full(len(NAMES) + 1000, (1 - sum(shares.values())) / 1000, np.float32)
    probabilities[: len(NAMES)] = 0
    for name, share in shares.items():
        probabilities[NAMES.index(name.replace("_", " "))] = share
    result = caption(probabilities, [*NAMES, *(f"rest {n}" for n in range(1000))])
    return result.text, result.keywords


def test_a_sure_caption() -> None:
    assert said(coffee_mug=0.9) == ("a photo of a coffee mug", ("coffee mug",))


def test_two_rivals() -> None:
    assert said(coffee_mug=0.5, tea_cup=0.3) == ("a photo of a coffee mug or a tea cup", ("coffee mug", "tea cup"))


def test_a_weak_second_is_a_keyword_only() -> None:
    assert said(tea_cup=0.6, espresso=0.1) == ("a photo of a tea cup", ("tea cup", "espresso"))


def test_doubt_is_said() -> None:
    text, keywords = said(hourglass=0.12, jeans=0.11)
    assert text == "a photo, perhaps of an hourglass or jeans"
    assert keywords == ("hourglass", "jeans")


def test_there_is_always_a_keyword() -> None:
    assert said(hourglass=0.04)[1] == ("hourglass",)


def test_classes_of_one_name_count_together() -> None:
    probabilities = np.array([0, 0.3, 0, 0.2, 0.2, 0.15, 0.15], np.float32)
    assert caption(probabilities, NAMES).text == "a photo of a missile or a tea cup"
    assert caption(probabilities, NAMES).keywords == ("missile", "tea cup", "hourglass", "jeans")


def test_no_more_than_five_keywords() -> None:
    assert len(caption(np.full(10, 0.1, np.float32), [f"thing {n}" for n in range(10)]).keywords) == 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tea cup", "a tea cup"),
        ("Egyptian cat", "an Egyptian cat"),
        ("European polecat", "a European polecat"),
        ("unicycle", "a unicycle"),
        ("umbrella", "an umbrella"),
        ("one-piece bathing suit", "a one-piece bathing suit"),
        ("hourglass", "an hourglass"),
        ("house finch", "a house finch"),
        ("binoculars", "binoculars"),
    ],
)
def test_articles(name: str, expected: str) -> None:
    assert with_article(name) == expected


def test_class_names_are_short_and_plain() -> None:
    classes = imagenet_classes()
    assert len(classes) == 1000
    assert {c.name for c in classes} >= _WITHOUT_ARTICLE
    for imagenet_class in classes:
        assert not set(imagenet_class.name) & set("(),/")
        assert len(imagenet_class.name.split()) <= 6
        assert imagenet_class.names[0] == imagenet_class.name
        assert all(imagenet_class.names)
    assert (classes[504].name, classes[967].name, classes[21].name) == ("coffee mug", "espresso", "kite")
