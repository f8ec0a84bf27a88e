"""What is shown of where pictures are."""

from __future__ import annotations

import pytest

from tuku.errors import ConfigError
from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer
from tuku.web import packages
from tuku.web.answers import answer_dict, shown_uri


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("/srv/secret/a.jpg", "a.jpg"),
        ("photos/a b.jpg", "a b.jpg"),
        ("file:///srv/secret/a%20b.jpg", "a b.jpg"),
        ("s3://bucket/key/a.jpg", "s3://bucket/key/a.jpg"),
        ("https://user:pass@host/a.jpg?X-Amz-Signature=1#x", "https://host/a.jpg"),
        ("", ""),
    ],
)
def test_a_uri_is_shown_without_what_is_nobodys_business(uri, shown):
    assert shown_uri(uri, local_paths=False) == shown


def test_notes_name_pictures_as_results_do():
    results = (Result("1", 0.5, uri="/srv/secret/a.jpg"), Result("2", 0.4, uri="/srv/secret/a.jpg.png"))
    notes = ("Not reranked: /srv/secret/a.jpg.png is gone.", "The query's picture /srv/secret/q.jpg too.")
    answer = SearchAnswer(Query(image="/srv/secret/q.jpg"), results, notes=notes)
    found = answer_dict(answer, local_paths=False, like="q")
    assert found["notes"] == ["Not reranked: a.jpg.png is gone.", "The query's picture q.jpg too."]
    assert "/srv" not in str(found)
    assert answer_dict(answer, local_paths=True, like="q")["notes"] == list(notes)


def test_a_package_that_is_missing_is_named_with_what_installs_it(monkeypatch):
    packages.require_packages()
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(
        ConfigError, match=r"needs uvicorn, not installed here. Install with: pip install 'tuku\[serve\]'"
    ):
        packages.require_packages()
