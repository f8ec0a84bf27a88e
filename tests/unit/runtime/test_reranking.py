"""The reranker of a process that goes on for weeks: made when it is wanted, and anew once its quota was halted."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from fakes.files import FakeFetcher
from fakes.rankers import ScriptedRanker
from fakes.recording_quota import RecordingQuota
from tuku.config import CaptionConfig, Config, RerankConfig, RetryConfig
from tuku.errors import ConfigError, StoppedError
from tuku.protocols import Captioner
from tuku.providers.factory import Access
from tuku.runtime import reranking
from tuku.runtime.reranking import check_reranker, reordering_of
from tuku.search.reordering import ModelReordering

CONFIG = Config(caption=CaptionConfig(provider="local"), rerank=RerankConfig(provider="dashscope"))


@dataclass
class Maker:
    """Makes rankers, and the access for each of them.

    Attributes:
        given: the access of each ranker that was made.
        fault: raised instead of making one.
    """

    given: list[Access] = field(default_factory=list)
    fault: ConfigError | None = None

    def access(self, *_arguments: object) -> Access:
        return Access(RecordingQuota(), RetryConfig())

    def ranker(self, _config: RerankConfig, access: Access) -> ScriptedRanker:
        if self.fault is not None:
            raise self.fault
        self.given.append(access)
        return ScriptedRanker([])


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Maker:
    maker = Maker()
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-x")
    monkeypatch.setattr(reranking, "local_access", maker.access)
    monkeypatch.setattr(reranking, "create_reranker", maker.ranker)
    return maker


def reordering() -> ModelReordering:
    described = check_reranker(CONFIG)
    assert described is not None
    return reordering_of(CONFIG, described, FakeFetcher({}))


def test_a_reranker_is_made_once_when_it_is_first_wanted(maker: Maker) -> None:
    wired = reordering()
    assert maker.given == []
    assert wired.model() is wired.model()
    assert len(maker.given) == 1


def test_a_reranker_whose_quota_was_halted_is_made_anew_with_a_quota_of_its_own(maker: Maker) -> None:
    wired = reordering()
    halted = wired.model()
    maker.given[0].quota.halt(StoppedError("The key was refused."))
    anew = wired.model()
    assert anew is not halted
    assert [access.quota.halted is None for access in maker.given] == [False, True]
    assert wired.model() is anew


def test_a_reranker_that_could_not_be_made_is_tried_again(maker: Maker) -> None:
    wired = reordering()
    maker.fault = ConfigError("no key")
    with pytest.raises(ConfigError, match="no key"):
        wired.model()
    maker.fault = None
    assert isinstance(wired.model(), ScriptedRanker)


def test_a_captioner_that_runs_here_has_no_quota_and_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-x")
    wired = reordering()
    captioner = wired.captioner()
    assert isinstance(captioner, Captioner)
    assert wired.captioner() is captioner


def test_a_captioner_that_cannot_be_had_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_arguments: object) -> None:
        raise ConfigError("no package")

    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-x")
    monkeypatch.setattr(reranking, "create_captioner", missing)
    assert reordering().captioner() is None
