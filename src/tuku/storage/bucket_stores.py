"""Opens buckets: the one place that knows where each kind of object store is and whose identity is used there.

=========  ======================================================  =====================================================
``s3://``  Amazon S3 and what speaks its protocol                  ``AWS_…``, or the identity of the pod or the machine
``gs://``  Google Cloud Storage                                    ``GOOGLE_APPLICATION_CREDENTIALS``, or likewise
``oss://`` Aliyun OSS, by its S3-compatible endpoint               ``OSS_…``, named as in Aliyun's own SDKs
=========  ======================================================  =====================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from obstore.exceptions import BaseError
from obstore.store import GCSStore, S3Store

from tuku.errors import ConfigError
from tuku.uris import scheme_of

Store = S3Store | GCSStore

_OPENED = 64  # buckets whose connections are kept


@dataclass(frozen=True)
class Variables:
    """What a kind of store takes from the environment, for messages.

    Attributes:
        prefix: of all their names.
        credentials: those that say who asks.
        place: those that say where the store is.
    """

    prefix: str
    credentials: str
    place: str


VARIABLES = {
    "s3": Variables("AWS_", "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL, AWS_REGION"),
    "gs": Variables("GOOGLE_", "GOOGLE_APPLICATION_CREDENTIALS", "the network"),
    "oss": Variables("OSS_", "OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET", "OSS_ENDPOINT, OSS_REGION"),
}


@dataclass(frozen=True)
class Patience:
    """How long a request may take, and how often it is sent again.

    Attributes:
        timeout_s: for one request with its answer, seconds.
        retries: after the first attempt.
        total_s: no retry begins later than this, seconds.
    """

    timeout_s: float = 30.0
    retries: int = 8
    total_s: float = 60.0


STEADY = Patience()


def variables_of(uri: str) -> Variables:
    """The variables of a URI's kind of store."""
    return VARIABLES[scheme_of(uri)]


def open_bucket(scheme: str, bucket: str, prefix: str = "", patience: Patience = STEADY) -> Store:
    """A bucket's store; it asks nobody yet. One for each bucket is kept open, until the environment changes.

    Args:
        scheme: s3, gs or oss.
        bucket: its name.
        prefix: of all keys.
        patience: with each request.

    Raises:
        ConfigError: the environment lacks what this kind of store needs, or names what is not there.
    """
    known = VARIABLES[scheme].prefix
    environment = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith(known)))
    try:
        return _opened(scheme, bucket, prefix, patience, environment)
    except (BaseError, OSError, ValueError) as error:
        names = f"{VARIABLES[scheme].credentials}, {VARIABLES[scheme].place}"
        raise ConfigError(f"{scheme}://{bucket} cannot be opened: {first_line(error)}", f"Check {names}.") from error


def first_line(error: Exception) -> str:
    """What obstore says has happened, without the body of the answer and what only debuggers want to know."""
    return str(error).split("\n", 1)[0].split(": <", 1)[0].strip()


@lru_cache(maxsize=_OPENED)
def _opened(
    scheme: str, bucket: str, prefix: str, patience: Patience, environment: tuple[tuple[str, str], ...]
) -> Store:
    known = dict(environment)
    options: dict[str, Any] = {
        "prefix": prefix or None,
        "client_options": {"timeout": timedelta(seconds=patience.timeout_s)},
        "retry_config": {"max_retries": patience.retries, "retry_timeout": timedelta(seconds=patience.total_s)},
    }
    if scheme == "gs":
        if known.get("GOOGLE_BASE_URL", "").startswith("http://"):
            options["client_options"]["allow_http"] = True
        return GCSStore(bucket, **options)
    if scheme == "oss":
        return _oss(bucket, known, options)
    endpoint = known.get("AWS_ENDPOINT_URL_S3") or known.get("AWS_ENDPOINT_URL") or known.get("AWS_ENDPOINT") or ""
    if endpoint.startswith("http://"):
        options["client_options"]["allow_http"] = True
    return S3Store(bucket, **options)


def _oss(bucket: str, known: Mapping[str, str], options: dict[str, Any]) -> S3Store:
    """Aliyun answers S3's requests in virtual-hosted style only ("Compatibility with Amazon S3", its documentation)."""
    region = known.get("OSS_REGION", "").removeprefix("oss-")
    endpoint = known.get("OSS_ENDPOINT") or (f"https://s3.oss-{region}.aliyuncs.com" if region else "")
    credential = {
        "access_key_id": known.get("OSS_ACCESS_KEY_ID"),
        "secret_access_key": known.get("OSS_ACCESS_KEY_SECRET"),
        "token": known.get("OSS_SESSION_TOKEN") or None,
        "expires_at": None,
    }
    if not endpoint:
        raise _lacking("OSS_REGION (such as cn-hangzhou) or OSS_ENDPOINT")
    if not (credential["access_key_id"] and credential["secret_access_key"]):
        raise _lacking(VARIABLES["oss"].credentials)
    protocol, _, host = endpoint.rpartition("://")
    address = f"{protocol or 'https'}://{bucket}.{host.rstrip('/')}"
    options["client_options"]["allow_http"] = protocol == "http"
    # Everything is said here, for what is not would be taken from AWS_…: another service's identity.
    config: Any = {
        "endpoint": address,
        "aws_endpoint_url_s3": address,
        "virtual_hosted_style_request": True,
        "region": region or "us-east-1",
        "disable_bulk_delete": True,
        "skip_signature": False,
    }

    def provider() -> Any:
        return credential

    return S3Store(bucket, config=config, credential_provider=provider, **options)


def _lacking(names: str) -> ConfigError:
    return ConfigError(
        f"Aliyun OSS (oss://) needs {names} in the environment.", "Set it for every process, on every node."
    )
