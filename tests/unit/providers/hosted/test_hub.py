"""Models by a hub's id, from a hub on this machine. Each is asked for in a process of its own, as its settings are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.hub import COMMIT, Hub, Published, serve
from support import environment
from tuku.config import CaptionConfig, EmbedConfig
from tuku.config_load import load_config
from tuku.errors import ConfigError
from tuku.providers.hosted.hub import TRANSFORMERS, located
from tuku.providers.registry import describe_embedder

TINY = "acme/tiny-clip"
NEEDED = ["config.json", "model.safetensors", "preprocessor_config.json", "vocab.txt"]
_DESCRIBE = """
import json, sys, time
time.sleep = lambda seconds: None  # nobody waits until a hub is up again
from tuku.config import EmbedConfig
from tuku.errors import ConfigError
from tuku.providers.registry import describe_embedder
for settings in json.loads(sys.argv[1]):
    try:
        print(describe_embedder(EmbedConfig(**settings)).name)
    except ConfigError as error:
        print(error)
"""


@dataclass(frozen=True)
class Machine:
    """With a cache of its own."""

    home: Path
    endpoint: str

    def start(self, *asked: dict[str, object], variables: dict[str, str] | None = None) -> subprocess.Popen:
        settings = [{"provider": "hf", "model": TINY, "revision": COMMIT, **each} for each in asked or [{}]]
        hub = {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(self.home), "HF_HUB_OFFLINE": "", "HF_TOKEN": ""}
        hub |= {"NO_PROXY": "127.0.0.1", **(variables or {})}
        environ = environment(hub)
        environ.pop("HF_HUB_CACHE", None)
        command = [sys.executable, "-c", _DESCRIBE, json.dumps(settings)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=environ, cwd=self.home, text=True, **pipes)

    def describe(self, variables: dict[str, str] | None = None, **asked: object) -> str:
        """The name in fingerprints, or the error."""
        (said,) = self.describe_each(asked, variables=variables)
        return said

    def describe_each(self, *asked: dict[str, object], variables: dict[str, str] | None = None) -> list[str]:
        """The same, of several models in one process."""
        out, err = self.start(*asked, variables=variables).communicate(timeout=60)
        assert err == ""
        return out.splitlines()

    def cached(self) -> list[str]:
        """Files in the folders of commits."""
        return sorted(path.name for path in self.home.glob("hub/models--*/snapshots/*/*"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is published: more than is needed; the weights are none."""
    made = tmp_path_factory.mktemp("models") / "tiny-clip"
    (made / "original").mkdir(parents=True)
    (made / "config.json").write_text(json.dumps({"model_type": "chinese_clip", "projection_dim": 16}))
    (made / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 32, "width": 32}}))
    (made / "vocab.txt").write_text("[PAD]\n")
    for name in ("model.safetensors", "original/model.safetensors", "pytorch_model.bin", "tf_model.h5"):
        (made / name).write_bytes(name.encode() * 10_000)
    (made / "modeling.py").write_text("raise SystemExit")
    (made / "README.md").write_text("# Tiny\n")
    return made


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    with serve({TINY: folder}) as running:
        yield running


@pytest.fixture
def machine(hub: Hub, tmp_path: Path) -> Machine:
    return Machine(tmp_path, hub.url)


def test_only_what_is_needed_is_downloaded_and_no_code(machine: Machine, hub: Hub, folder: Path) -> None:
    name = machine.describe()
    assert name == describe_embedder(EmbedConfig(provider="hf", model=str(folder))).name
    assert name.startswith("hf/tiny-clip@")
    assert hub.sent() == machine.cached() == NEEDED


def test_what_is_there_is_not_asked_for_again(machine: Machine, hub: Hub) -> None:
    name = machine.describe()
    before = hub.asked()
    assert machine.describe() == name
    assert hub.asked() == before


def test_without_a_network_the_cache_will_do(folder: Path, tmp_path: Path) -> None:
    asked, by_variable = [{"offline": True}, {}], {"HF_HUB_OFFLINE": "1"}
    with serve({TINY: folder}) as hub:
        machine = Machine(tmp_path, hub.url)
        for said in machine.describe_each(*asked, variables=by_variable):
            assert "is not in the cache" in said
        assert not hub.hits
        name = machine.describe()
    assert machine.describe_each(*asked) == machine.describe_each(*asked, variables=by_variable) == [name, name]


def test_half_a_model_in_the_cache_is_none(machine: Machine, hub: Hub) -> None:
    name = machine.describe()
    (vocabulary,) = machine.home.glob("hub/models--*/snapshots/*/vocab.txt")
    vocabulary.unlink()
    said = machine.describe(offline=True)
    assert "or not all of it" in said
    assert "embed.offline: false" in said
    assert machine.describe() == name


def test_weights_in_pickles_are_taken_only_where_there_are_no_others(tmp_path: Path, folder: Path) -> None:
    older = shutil.copytree(folder, tmp_path / "older", ignore=shutil.ignore_patterns("*.safetensors"))
    with serve({"acme/older": older}) as hub:
        assert Machine(tmp_path, hub.url).describe(model="acme/older").startswith("hf/older@")
        assert hub.sent() == sorted({*NEEDED, "pytorch_model.bin"} - {"model.safetensors"})
        (older / "pytorch_model.bin").rename(older / "model.ckpt")
        hub.models["acme/ckpt"] = Published(older)
        said = Machine(tmp_path, hub.url).describe(model="acme/ckpt")
        assert re.search(r"no weights that provider hf reads \(\*\.safetensors, pytorch_model\*\.bin\)", said)


def test_of_an_exported_model_both_encoders_are_downloaded(tmp_path: Path, folder: Path) -> None:
    exported = tmp_path / "exported"
    (exported / "onnx").mkdir(parents=True)
    (exported / "vocab.txt").write_text("[PAD]\n")
    names = ["text_model.onnx", "vision_model.onnx", "vision_model_quantized.onnx"]
    for name in names:
        (exported / "onnx" / name).write_bytes(f"no graph: {name}".encode())
    with serve({"acme/exported": exported}) as hub:
        said = Machine(tmp_path, hub.url).describe(provider="onnx_clip", model="acme/exported")
        assert hub.sent() == [*(f"onnx/{name}" for name in names[:2]), "vocab.txt"]
    assert re.search(r"onnx/text_model\.onnx is no ONNX file", said)


def test_several_processes_at_once_download_it_once(machine: Machine, hub: Hub) -> None:
    running = [machine.start() for _ in range(4)]
    names = {process.communicate(timeout=60)[0] for process in running}
    assert len(names) == 1
    assert names.pop().startswith("hf/tiny-clip@")
    assert hub.sent().count("model.safetensors") == 1
    assert machine.cached() == NEEDED
    assert not [*machine.home.rglob("*.incomplete")]


def test_a_folder_asks_no_hub(machine: Machine, hub: Hub, folder: Path) -> None:
    named_like_an_id = machine.home / "acme" / "tiny-clip"
    named_like_an_id.parent.mkdir()
    named_like_an_id.symlink_to(folder)
    expected = describe_embedder(EmbedConfig(provider="hf", model=str(folder))).name
    asked = [{"model": model, "revision": commit} for model in (str(folder), TINY) for commit in (COMMIT, None)]
    assert machine.describe_each(*asked) == [expected] * 4
    assert not hub.hits
    assert not (machine.home / "hub").exists()


def test_a_gated_model_needs_a_token_and_nobody_learns_it(folder: Path, tmp_path: Path) -> None:
    token = "hf_s3cretT0ken"
    with serve({TINY: Published(folder, token=token)}) as hub:
        machine = Machine(tmp_path, hub.url)
        said = machine.describe(variables={"HF_TOKEN": "hf_an0ther"})
        assert "accepted its terms" in said
        assert "HF_TOKEN" in said
        assert "an0ther" not in said
        assert machine.describe(variables={"HF_TOKEN": token}).startswith("hf/tiny-clip@")


def test_what_a_hub_does_not_have(machine: Machine) -> None:
    wrong: list[tuple[dict[str, object], str]] = [
        ({"model": "acme/none"}, r"'acme/none' .*no such folder.* no such model.*HF_TOKEN"),
        ({"revision": "f" * 40}, r"no such commit.*embed\.revision"),
        ({"model": "acme/a..b"}, r"no such folder.*no model's id"),
        ({"revision": None}, r"no such folder.*needs embed\.revision.*full commit"),
        ({"model": "/nowhere/at/all"}, "no such folder"),
    ]
    said = machine.describe_each(*(asked for asked, _ in wrong))
    for text, (_, message) in zip(said, wrong, strict=True):
        assert re.search(message, text)


def test_a_hub_that_is_down(machine: Machine, hub: Hub) -> None:
    hub.down = 503
    said = machine.describe()
    assert f"the hub {hub.url} answers HTTP 503" in said
    assert "embed.model 'acme/tiny-clip'" in said


@pytest.mark.parametrize(
    ("endpoint", "variables"),
    [
        ("http://me:s3cret@127.0.0.1:9", {}),
        (
            "http://hub.invalid",
            {"HTTP_PROXY": "http://me:s3cret@127.0.0.1:9", "http_proxy": "http://me:s3cret@127.0.0.1:9"},
        ),
    ],
)
def test_a_hub_out_of_reach_and_no_password_shown(tmp_path: Path, endpoint: str, variables: dict[str, str]) -> None:
    said = Machine(tmp_path, endpoint).describe(variables=variables)
    assert "cannot be downloaded" in said
    assert "HF_ENDPOINT and the proxy" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (OSError(28, "No space left on device"), "no space left.*HF_HOME"),
        (PermissionError(13, "Denied"), "Denied.*HF_HOME"),
    ],
)
def test_a_disk_that_does_not_take_it(monkeypatch: pytest.MonkeyPatch, fault: OSError, message: str) -> None:
    def full(*_: object, **__: object) -> str:
        raise fault

    monkeypatch.setattr("huggingface_hub.snapshot_download", full)
    config = CaptionConfig(provider="qwen_vl", model=TINY, revision=COMMIT)
    with pytest.raises(ConfigError, match=message) as caught:
        located("caption", config, TRANSFORMERS)
    assert f"caption.model '{TINY}' at commit {COMMIT[:12]}" in str(caught.value)


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12], COMMIT + "0"])
def test_a_revision_is_a_full_commit(revision: str) -> None:
    with pytest.raises(ConfigError, match=r"embed\.revision is '.*a full commit.*same weights"):
        load_config(None, [f"embed.revision={revision}"], {})


def test_a_commit_may_be_in_capitals() -> None:
    assert load_config(None, [f"caption.revision={COMMIT.upper()}"], {}).caption.revision == COMMIT
