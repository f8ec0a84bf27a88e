"""What rows will ask of the models' services, and what that costs, worked out from a sample of them. No I/O in here."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tuku.forecast import StageForecast
from tuku.imaging.sizes import reduced_size
from tuku.pipeline import Models
from tuku.protocols import ModelDescription
from tuku.runtime.sampling import Sample, Seen
from tuku.stages.paid import PaidAnswers
from tuku.terms import Terms


@dataclass(frozen=True)
class Estimator:
    """Scales what the sample would ask for up to all rows.

    A picture that cannot be read costs nothing, nor does an answer that an earlier run paid for and could not use.
    Requests are counted as full as the terms allow: so they are whenever the quota holds them up.

    Args:
        work: rows that need work.
        sample: some of them.
        models: as configured.
        vectors: which of ``image`` and ``text`` are configured.
        share: of the quotas that this cluster may use, in (0, 1].
        paid: answers that need not be asked for.
    """

    work: int
    sample: Sample
    models: Models
    vectors: Collection[str]
    share: float = 1.0
    paid: PaidAnswers = field(default_factory=PaidAnswers)

    def by_stage(self) -> dict[str, StageForecast]:
        """What each model would be asked for."""
        stages = {"caption": self._caption, "embed": self._embed}
        return {
            name: StageForecast(model.name) if model.terms is None else stages[name](model, model.terms)
            for name, model in self.models.by_stage().items()
        }

    def _caption(self, model: ModelDescription, terms: Terms) -> StageForecast:
        asked = [seen for seen in self.sample.pictures if not self._caption_of(seen)]
        pictures = self._scaled(len(asked))
        calls = math.ceil(pictures / terms.pictures_per_request)
        sent = self._picture_tokens(asked, model, terms) + calls * terms.prompt_tokens
        return self._stage(model, terms, calls, sent, pictures * terms.answer_tokens)

    def _embed(self, model: ModelDescription, terms: Terms) -> StageForecast:
        asked = [seen for seen in self.sample.pictures if "image" in self.vectors and not self._has_image(seen)]
        pictures = self._scaled(len(asked))
        texts = self._scaled(sum("text" in self.vectors and not self._has_text(seen) for seen in self.sample.pictures))
        # Whichever fills the requests first: pictures and texts share them.
        calls = max(
            math.ceil(pictures / terms.pictures_per_request),
            math.ceil(texts / terms.texts_per_request),
            math.ceil((pictures + texts) / terms.items_per_request),
        )
        sent = self._picture_tokens(asked, model, terms) + texts * self._passage_tokens(terms)
        return self._stage(model, terms, calls, sent, 0)

    def _passage_tokens(self, terms: Terms) -> int:
        """Of one caption, as long as the captioner's answers are; else what is typical for the embedder."""
        captioner = self.models.captioner
        answers = captioner.terms.answer_tokens if captioner is not None and captioner.terms is not None else 0
        return answers or terms.prompt_tokens

    def _picture_tokens(self, seen: Sequence[Seen], model: ModelDescription, terms: Terms) -> int:
        sizes = [] if model.picture_size is None else [model.picture_size]
        return self._scaled(sum(terms.picture_tokens(*reduced_size(one.width, one.height, sizes)) for one in seen))

    def _scaled(self, of_sample: int) -> int:
        return round(self.work * of_sample / self.sample.size) if self.sample.size else 0

    def _stage(self, model: ModelDescription, terms: Terms, calls: int, sent: int, answered: int) -> StageForecast:
        return StageForecast(
            model=model.name,
            price=terms.price,
            calls=calls,
            input_tokens=sent,
            output_tokens=answered,
            cost=terms.price.of(sent, answered),
            minutes=minutes_at_quota(terms, self.share, calls, sent + answered),
        )

    def _caption_of(self, seen: Seen) -> str | None:
        known = self.paid.caption(seen.content_sha256, self.models.caption_fingerprint)
        return None if known is None else str(known["caption"])

    def _has_image(self, seen: Seen) -> bool:
        return self.paid.image(seen.content_sha256, self.models.embedding_fingerprint) is not None

    def _has_text(self, seen: Seen) -> bool:
        caption = self._caption_of(seen)
        return caption is not None and self.paid.text(caption, self.models.embedding_fingerprint) is not None


def minutes_at_quota(terms: Terms, share: float, calls: int, tokens: int) -> float | None:
    """How long a quota takes to let so many calls and tokens through; None if no limit is known."""
    limits = ((calls, terms.requests_per_min), (tokens, terms.tokens_per_min))
    return max((wanted / (limit * share) for wanted, limit in limits if limit is not None), default=None)
