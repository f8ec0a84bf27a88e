"""Layers, origins and messages of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tuku.config import Config
from tuku.config_load import dump_config, load_config
from tuku.errors import ConfigError

TOKEN = "root:s3cret-token"


def profile(folder: Path, text: str, name: str = "profile.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def complaint(file: Path | None = None, overrides: tuple[str, ...] = (), **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(file, overrides, environ)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_any_layer_the_models_defaults_hold() -> None:
    assert load_config(None, [], {"PATH": "/bin"}) == Config()


def test_each_layer_goes_over_the_one_before(tmp_path: Path) -> None:
    profile(tmp_path, "load: {keep: 3, batch_rows: 3, strategy: upsert}\nwrite: {flush_interval_s: 3}", "base.yaml")
    file = profile(tmp_path, "load: {keep: 4, batch_rows: 4}\n")
    config = load_config(file, ["load.keep=6"], {"TUKU__LOAD__KEEP": "5", "TUKU__LOAD__BATCH_ROWS": "5"})
    assert (config.load.keep, config.load.batch_rows, config.load.strategy) == (6, 5, "upsert")
    assert config.write.flush_interval_s == 3


def test_the_base_itself_may_be_the_profile(tmp_path: Path) -> None:
    base = profile(tmp_path, "load: {keep: 7}", "base.yaml")
    assert load_config(base, [], {}).load.keep == 7


def test_a_section_whose_keys_are_commented_out_is_empty(tmp_path: Path) -> None:
    assert load_config(profile(tmp_path, "load:\n  # keep: 3\n"), [], {}) == Config()


def test_nested_keys_from_the_environment() -> None:
    config = load_config(None, [], {"TUKU__CAPTION__QUOTA__REQUESTS_PER_MIN": "60"})
    assert config.caption.quota.requests_per_min == 60


@pytest.mark.parametrize(
    ("overrides", "params"),
    [
        (["milvus.index.params.M=32"], {"M": 32}),
        (["milvus.index.params={M: 32}"], {"M": 32}),
        (
            ["milvus.index.params={M: 8, efConstruction: 99}", "milvus.index.params.M=32"],
            {"M": 32, "efConstruction": 99},
        ),
        (["milvus.index.params.M=32", "milvus.index.params={nlist: 8}"], {"nlist": 8}),
    ],
)
def test_a_dictionary_is_set_whole_or_by_entry(overrides: list[str], params: dict[str, int]) -> None:
    assert load_config(None, overrides, {}).milvus.index.params == params


def test_an_entry_set_by_variable_keeps_its_spelling() -> None:
    config = load_config(None, [], {"TUKU__MILVUS__INDEX__PARAMS__efConstruction": "99"})
    assert config.milvus.index.params == {"efConstruction": 99}


def test_a_dictionary_in_the_profile_replaces_the_one_in_the_base(tmp_path: Path) -> None:
    profile(tmp_path, "milvus: {index: {params: {M: 16}}}", "base.yaml")
    file = profile(tmp_path, "milvus: {index: {type: IVF_FLAT, params: {nlist: 64}}}")
    assert load_config(file, [], {}).milvus.index.params == {"nlist": 64}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("*.jpg", "*.jpg"),
        ("2024", "2024"),
        ("a: b #c", "a: b #c"),
        ("'null'", "null"),
    ],
)
def test_text_on_the_command_line_needs_no_quotes(text: str, value: str | None) -> None:
    assert load_config(None, [f"manifest.uri={text}"], {}).manifest.uri == value


def test_lists_on_the_command_line() -> None:
    config = load_config(None, ["milvus.vectors=[text]", "fetch.allowed_hosts=[a.example, b.example]"], {})
    assert config.milvus.vectors == ("text",)
    assert config.fetch.allowed_hosts == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "caption.modle=x",
            "unknown key caption.modle; did you mean caption.model? known keys of caption: model, provider",
        ),
        ("capton.model=x", "did you mean caption? known sections: caption, manifest"),
        ("caption.quota.rpm=1", "known keys of caption.quota: requests_per_min, tokens_per_min"),
        ("lake.uri.x=1", "lake.uri is no section: it is text, not empty"),
        ("write=3", "write is a section of keys, not a single value; known keys: flush_interval_s"),
        ("load.strategy=fast", "load.strategy is 'fast'; allowed: one of auto, upsert, rebuild"),
        ("fetch.max_redirects=21", "fetch.max_redirects is 21; allowed: a whole number from 0 to 20"),
        ("fetch.timeout_s=0", "fetch.timeout_s is 0; allowed: a number above 0"),
        ("quota.share=2", "quota.share is 2; allowed: a number above 0, at most 1"),
        ("limits.max_calls=-1", "limits.max_calls is -1; allowed: a whole number, 0 or more, or null"),
        ("limits.max_failed_fraction=.nan", "limits.max_failed_fraction is nan; allowed: a number from 0 to 1"),
        ("fetch.allow_private_networks=maybe", "'maybe'; allowed: true or false"),
        (
            "fetch.schemes=[ftp]",
            "fetch.schemes is ['ftp']; allowed: a list (it may be empty), each one of file, http, https",
        ),
        ("milvus.vectors=[]", "milvus.vectors is []; allowed: a list of at least one item, each one of image, text"),
        ("milvus.vectors=[text, text]", "allowed: each vector at most once"),
        ("milvus.collection=a-b", "allowed: text that matches ^[A-Za-z_]"),
        (
            "milvus.index.params.M=[1]",
            "milvus.index.params.M is [1]; allowed: true or false, or a whole number, or a number, or text",
        ),
        (
            "milvus.indexed_metadata.price=float",
            "milvus.indexed_metadata.price is 'float'; allowed: one of varchar, int64",
        ),
        ("milvus.indexed_metadata={price: float}", "allowed: a dictionary whose names match ^[A-Za-z_]"),
        ("milvus.indexed_metadata={a-b: double}", "and whose values are one of varchar, int64, double, bool"),
        ("milvus.indexed_metadata.a-b=double", "unknown key milvus.indexed_metadata.a-b"),
        ("milvus.partition_key=brand", "--set: milvus: partition_key must be in indexed_metadata, as varchar or int64"),
        ("milvus.partitions=3", "milvus: partitions is the number of partitions by partition_key, and that is not set"),
        ("milvus.tls.cert_file=x", "--set: milvus.tls: cert_file and key_file go together"),
        ("load.rest_url=ftp://milvus", "it does not begin with http:// or https://"),
        (
            "load.rest_url=https://me:s3cret@host",
            "load.rest_url is 'https://***@host'; allowed: the address of a service",
        ),
        (
            "load.bulk_import=grpc",
            "--set: load: bulk_import is grpc, and staging_uri is not set: the bucket",
        ),
        ("load.bulk_import=http", "load.bulk_import is 'http'; allowed: one of auto, never, grpc, rest"),
        ("load.file_mb=0", "load.file_mb is 0; allowed: a whole number from 1 to 4,096"),
        ("load.stall_s=0", "load.stall_s is 0; allowed: a number above 0"),
        ("manifest.encoding=klingon", "manifest.encoding is 'klingon'; allowed: a text encoding that Python knows"),
        ("lake.uri=", "lake.uri is None; allowed: text, not empty"),
        ("load.keep=[1", "the value of load.keep is no YAML: line 1, column 3"),
        ("load.keep", "--set takes section.key=value"),
    ],
)
def test_a_mistake_on_the_command_line_is_explained(override: str, said: str) -> None:
    message = complaint(overrides=(override,))
    assert said in message
    assert "--set" in message


def test_keys_that_do_not_go_together_are_named_with_where_each_came_from(tmp_path: Path) -> None:
    file = profile(tmp_path, "milvus:\n  tls: {cert_file: own.pem}\n")
    message = complaint(file, ("milvus.tls.key_file=own.key",))
    assert f"{file} and --set: milvus.tls: cert_file needs ca_file" in message


def test_metadata_fields_are_set_whole_or_one_by_one() -> None:
    overrides = ["milvus.indexed_metadata={price: double}", "milvus.indexed_metadata.brand=varchar"]
    config = load_config(None, [*overrides, "milvus.partition_key=brand"], {})
    assert config.milvus.indexed_metadata == {"price": "double", "brand": "varchar"}


def test_every_mistake_is_named_at_once_with_its_origin(tmp_path: Path) -> None:
    profile(tmp_path, "load: {keep: -1}", "base.yaml")
    file = profile(tmp_path, "fetch:\n  max_bytes: 10\n  timeout_s: soon\nlod: {}\n")
    message = complaint(file, ("write.x=1",), TUKU__STOP__GRACE_S="-3")
    assert message.startswith("5 mistakes in the configuration: ")
    assert f"{tmp_path / 'base.yaml'}, line 1: load.keep is -1" in message
    assert f"{file}, line 3: fetch.timeout_s is 'soon'" in message
    assert f"{file}, line 4: unknown key lod; did you mean load?" in message
    assert "TUKU__STOP__GRACE_S: stop.grace_s is -3; allowed: a number, 0 or more" in message
    assert "--set: unknown key write.x" in message


def test_a_mistake_that_a_later_layer_mends_is_none(tmp_path: Path) -> None:
    file = profile(tmp_path, "load: {keep: -1}")
    assert load_config(file, ["load.keep=1"], {}).load.keep == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("load:\n  keep: [1\n", "line 3, column 1"),
        ("load:\n  keep: 1\n  keep: 2\n", "line 3, column 3: duplicate key 'keep', first on line 2"),
        ("load: {keep: 1}\nload: {keep: 2}\n", "line 2, column 1: duplicate key 'load'"),
        ("milvus: {index: {params: {M: 1, M: 2}}}", "duplicate key 'M'"),
        ("- load\n", "a configuration is made of sections, not a list"),
        ("? [a, b]\n: 1\n", "a key is one word"),
        ("load: !!int x", "a value that does not fit its tag"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, said: str) -> None:
    file = profile(tmp_path, text)
    message = complaint(file)
    assert said in message
    assert str(file) in message


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "profile.yaml"
    file.write_bytes("lake: {uri: 图库}".encode("gb18030"))
    assert f"{file}: not UTF-8 text" in complaint(file)


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    file = profile(
        tmp_path, "caption: {quota: &q {requests_per_min: 9}}\nembed:\n  quota:\n    <<: *q\n    tokens_per_min: 8\n"
    )
    quota = load_config(file, [], {}).embed.quota
    assert (quota.requests_per_min, quota.tokens_per_min) == (9, 8)


def test_a_missing_or_unreadable_file_that_was_named(tmp_path: Path) -> None:
    assert "No such file" in complaint(tmp_path / "none.yaml")
    assert "Is a directory" in complaint(tmp_path)


@pytest.mark.parametrize("variable", ["MILVUS_TOKEN", "TUKU__MILVUS__TOKEN"])
def test_a_secret_comes_from_the_environment_and_shows_nowhere(variable: str) -> None:
    config = load_config(None, [], {variable: TOKEN})
    assert config.milvus.token is not None
    assert config.milvus.token.get_secret_value() == TOKEN
    assert "s3cret" not in repr(config) + str(config) + dump_config(config) + config.model_dump_json()
    assert "token" not in yaml.safe_load(dump_config(config))["milvus"]


def test_the_more_precise_variable_wins_and_an_empty_one_is_none() -> None:
    config = load_config(None, [], {"MILVUS_TOKEN": "other", "TUKU__MILVUS__TOKEN": TOKEN})
    assert config.milvus.token is not None
    assert config.milvus.token.get_secret_value() == TOKEN
    assert load_config(None, [], {"MILVUS_TOKEN": ""}).milvus.token is None


@pytest.mark.parametrize("text", [f"milvus: {{token: '{TOKEN}'}}", "milvus:\n  token: [s3cret-token"])
def test_a_secret_in_a_file_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    assert "s3cret" not in complaint(profile(tmp_path, text))


@pytest.mark.parametrize("override", [f"milvus.token={TOKEN}", "milvus.token=[s3cret", f"milvus={{token: '{TOKEN}'}}"])
def test_a_secret_on_the_command_line_is_refused_and_not_shown(override: str) -> None:
    message = complaint(overrides=(override, "load.keep=-1"))
    assert "milvus.token is a secret: set it only in the environment, as MILVUS_TOKEN" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("override", ["milvus.tokn=s3cret", "caption.api_key=s3cret", "milvus.password={a: s3cret}"])
def test_the_value_of_an_unknown_key_is_not_shown(override: str) -> None:
    assert "s3cret" not in complaint(overrides=(override,), MILVUS_TOKEN=TOKEN)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://root:s3cret@milvus.example:19530/db", "https://***@milvus.example:19530/db"),
        ("https://root:s3/cr@t@milvus.example:19530", "https://***@milvus.example:19530"),
        ("https://milvus.example:19530?token=s3cret", "https://milvus.example:19530?***"),
    ],
)
def test_credentials_in_an_address_are_not_dumped(uri: str, shown: str) -> None:
    config = load_config(None, [f"milvus.uri={uri}"], {})
    assert yaml.safe_load(dump_config(config))["milvus"]["uri"] == shown


def test_an_entry_that_is_named_as_a_secret_is_not_dumped() -> None:
    config = load_config(None, ["caption.parameters={api_key: s3cret, seed: 1}", "caption.max_tokens=50"], {})
    dumped = yaml.safe_load(dump_config(config))["caption"]
    assert dumped["parameters"] == {"api_key": "***", "seed": 1}
    assert dumped["max_tokens"] == 50


@pytest.mark.parametrize("section", ["caption", "embed"])
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://host:99999", "its host or port cannot be read"),
        ("http://user:s3cret@host", "it holds a user or a password"),
        ("http://user:s3/cret@host", "cannot be read"),
        ("http://host/v1?key=s3cret", "leave out the query"),
        ("not an address", "blanks"),
    ],
)
def test_what_is_no_address_of_a_service_is_refused(section: str, address: str, said: str) -> None:
    message = complaint(overrides=(f"{section}.base_url={address}",))
    assert f"{section}.base_url is " in message
    assert f"allowed: the address of a service, such as https://host/api/v1; {said}" in message or said in message
    assert "s3" not in message


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\nb", " a", "a" * 201])
def test_what_is_no_name_of_a_model_is_refused(name: str) -> None:
    message = complaint(overrides=(f"embed.model={name}",))
    assert "allowed: a model's name: at most 200 characters" in message


def test_a_quota_has_a_maximum() -> None:
    message = complaint(overrides=(f"caption.quota.tokens_per_min={10**400}",))
    assert "allowed: a whole number from 1 to 1,000,000,000, or null" in message


def test_a_dump_loads_again_as_the_same_configuration(tmp_path: Path) -> None:
    typed = ["milvus.indexed_metadata={category: varchar}", "milvus.partition_key=category"]
    params = "milvus.index.params={M: 8}"
    config = load_config(None, ["manifest.uri=图库.csv", params, "limits.max_cost=1.5", *typed], {})
    assert "图库.csv" in dump_config(config)
    assert "partition_key: category" in dump_config(config)
    assert load_config(profile(tmp_path, dump_config(config)), [], {}) == config


def test_keys_that_do_not_go_together_are_named_with_where_they_were_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--set: milvus: partitions is the number of partitions by partition_key"):
        load_config(None, ["milvus.partitions=4"], {})
    with pytest.raises(ConfigError, match=r"milvus\.tls: cert_file and key_file go together"):
        load_config(profile(tmp_path, "milvus: {tls: {cert_file: a.pem}}"), [], {})
