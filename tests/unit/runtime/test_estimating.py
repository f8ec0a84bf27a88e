"""The estimate, by hand: small numbers that can be worked out on paper."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.tables import paid_answers
from tuku.config import Config
from tuku.pipeline import Models
from tuku.runtime.estimating import Estimator, minutes_at_quota
from tuku.runtime.sampling import Sample, Seen
from tuku.stages.paid import PaidAnswers
from tuku.terms import Price, Terms

# 16 px on the long side, and patches of 8 px: 2 × 1 patches and the frame's 2 tokens for a picture of 2 : 1.
CAPTION_TERMS = Terms(
    requests_per_min=60, tokens_per_min=6_000, price=Price(2.0, 10.0), patch_px=8, prompt_tokens=100, answer_tokens=50
)
# 8 px on the short side, so 2 × 1 patches as well.
EMBED_TERMS = Terms(
    requests_per_min=10,
    price=Price(1.0),
    patch_px=8,
    prompt_tokens=30,
    pictures_per_request=4,
    texts_per_request=10,
    items_per_request=10,
)
WIDE = Seen(400, 200, "wide")
BOTH = ("image", "text")


def models(caption_terms: Terms | None = CAPTION_TERMS, embed_terms: Terms | None = EMBED_TERMS) -> Models:
    captioner = replace(FakeCaptioner().description, terms=caption_terms)
    return Models.of(Config(), captioner, replace(FakeEmbedder().description, terms=embed_terms))


def estimate(work: int, sample: Sample, vectors=BOTH, **values):
    return Estimator(work, sample, values.pop("models", models()), vectors, **values).by_stage()


def test_captions_cost_picture_prompt_and_answer():
    caption = estimate(100, Sample((WIDE,)))["caption"]
    assert (caption.calls, caption.input_tokens, caption.output_tokens) == (100, 100 * (4 + 100), 100 * 50)
    assert caption.cost == pytest.approx((10_400 * 2.0 + 5_000 * 10.0) / 1000)
    assert caption.minutes == pytest.approx(15_400 / 6_000)  # tokens bind: 100 requests take 1.67 minutes


def test_vectors_cost_pictures_and_captions_as_long_as_the_captioners_answers():
    embed = estimate(100, Sample((WIDE,)))["embed"]
    assert (embed.input_tokens, embed.output_tokens) == (100 * 4 + 100 * 50, 0)
    assert embed.calls == 25  # four pictures a request: that leaves room for the texts
    assert embed.minutes == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("pictures", "texts", "items", "calls"), [(4, 10, 10, 25), (20, 20, 20, 10), (20, 5, 20, 20), (1, 1, 1, 200)]
)
def test_pictures_and_texts_share_requests(pictures: int, texts: int, items: int, calls: int):
    terms = replace(EMBED_TERMS, pictures_per_request=pictures, texts_per_request=texts, items_per_request=items)
    assert estimate(100, Sample((WIDE,)), models=models(embed_terms=terms))["embed"].calls == calls


def test_which_vectors_are_wanted_counts():
    images = estimate(100, Sample((WIDE,)), ("image",))["embed"]
    assert (images.calls, images.input_tokens) == (25, 400)
    texts = estimate(100, Sample((WIDE,)), ("text",))["embed"]
    assert (texts.calls, texts.input_tokens) == (10, 5_000)


def test_pictures_that_cannot_be_read_cost_nothing():
    sample = Sample((WIDE, WIDE, WIDE), Counter(not_found=1))
    assert estimate(100, sample)["caption"].calls == 75
    assert estimate(100, Sample((), Counter(not_found=4)))["caption"].cost == 0.0


def test_pictures_are_counted_at_the_size_that_the_model_gets():
    square, tiny = Seen(3_000, 3_000, "square"), Seen(5, 5, "tiny")
    caption = estimate(2, Sample((square, tiny)))["caption"]
    assert caption.input_tokens == (2 * 2 + 2) + (1 + 2) + 2 * 100


def test_a_model_that_runs_here_is_asked_for_nothing():
    stages = estimate(100, Sample(), models=models(None, None))
    assert all(stage.price is None and not stage.calls for stage in stages.values())
    embed = estimate(10, Sample((WIDE,)), models=models(None))["embed"]
    assert embed.input_tokens == 10 * 4 + 10 * 30  # its own idea of a caption


def test_what_has_been_paid_for_is_not_paid_again():
    known = models()
    fingerprints = known.caption_fingerprint, known.embedding_fingerprint
    caption = {"caption": "A cat", "caption_fingerprint": fingerprints[0]}
    vector = {"image_embedding": [1.0, 0.0], "embedding_fingerprint": fingerprints[1]}
    paid = PaidAnswers.of([paid_answers({"content_sha256": "wide", **caption, **vector})])
    sample = Sample((WIDE, replace(WIDE, content_sha256="other")))
    stages = estimate(10, sample, models=known, paid=paid)
    assert stages["caption"].calls == 5
    assert stages["embed"].input_tokens == 5 * 4 + 10 * 50
    text = {"caption": "A cat", "text_embedding": [0.0, 1.0], "embedding_fingerprint": fingerprints[1]}
    paid.add(paid_answers(text))
    assert estimate(10, sample, models=known, paid=paid)["embed"].input_tokens == 5 * 4 + 5 * 50


@pytest.mark.parametrize(
    ("limits", "minutes"), [((10, None), 20.0), ((10, 100), 40.0), ((None, 100), 40.0), ((None, None), None)]
)
def test_the_quota_that_binds_decides_how_long_it_takes(limits, minutes):
    terms = Terms(requests_per_min=limits[0], tokens_per_min=limits[1])
    assert minutes_at_quota(terms, 0.5, calls=100, tokens=2_000) == minutes
