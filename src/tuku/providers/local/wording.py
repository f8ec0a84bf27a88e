"""Says in English what the classifier saw."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tuku.protocols import Caption

WORDING_VERSION = 1  # count it up when captions change: it is part of the model's revision
MAX_KEYWORDS = 5
MIN_KEYWORD_PROBABILITY = 0.05
DOUBTFUL_PROBABILITY = 0.2
RIVAL_SHARE = 0.4  # the second class is named when it is at least this likely beside the first

_AN = re.compile(r"(?!uni|eu|one)[aeiou]|hour", re.IGNORECASE)
# The class names that are plural, or that no one counts.
_WITHOUT_ARTICLE = frozenset(
    [
        *("binoculars", "clogs", "jeans", "mashed potatoes", "pajamas", "parallel bars", "sunglasses", "swim trunks"),
        *("broccoli", "carbonara", "chain mail", "chocolate syrup", "consomme", "corn", "dough", "eggnog", "espresso"),
        *("face powder", "guacamole", "hair spray", "hay", "ice cream", "lotion", "perfume", "rapeseed", "red wine"),
        *("sunscreen", "toilet paper", "velvet fabric", "wool"),
    ]
)


def caption(probabilities: npt.NDArray[np.float32], names: Sequence[str]) -> Caption:
    """A sentence that says how sure it is, and one to five keywords.

    Args:
        probabilities: float32 (classes,), summing to 1.
        names: one for each class; classes of one name count together.
    """
    ranked = _ranked(probabilities, names)
    keywords = [name for name, probability in ranked if probability >= MIN_KEYWORD_PROBABILITY]
    return Caption(_sentence(ranked), tuple(keywords or [ranked[0][0]]))


def _ranked(probabilities: npt.NDArray[np.float32], names: Sequence[str]) -> list[tuple[str, float]]:
    likeliest = np.argsort(-probabilities, kind="stable")[: 2 * MAX_KEYWORDS]
    by_name: defaultdict[str, float] = defaultdict(float)
    for index in likeliest:
        by_name[names[index]] += float(probabilities[index])
    return sorted(by_name.items(), key=lambda item: -item[1])[:MAX_KEYWORDS]


def _sentence(ranked: list[tuple[str, float]]) -> str:
    (name, probability), *others = ranked
    things = with_article(name)
    if others and others[0][1] >= RIVAL_SHARE * probability:
        things += f" or {with_article(others[0][0])}"
    return f"a photo, perhaps of {things}" if probability < DOUBTFUL_PROBABILITY else f"a photo of {things}"


def with_article(name: str) -> str:
    """``a tea cup``, ``an hourglass``, ``jeans``."""
    if name in _WITHOUT_ARTICLE:
        return name
    return f"an {name}" if _AN.match(name) else f"a {name}"
