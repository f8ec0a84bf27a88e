"""What a person can do about a model that did not answer: for `tuku doctor` and `tuku search`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tuku.config import CaptionConfig, EmbedConfig, RerankConfig
from tuku.errors import RowError
from tuku.providers.registry import address_variable

_NETWORK = "Check {address}, the network, and a proxy if there must be one (HTTPS_PROXY)."
_BY_CODE: Mapping[str, str] = {
    "throttled": "The key works, but others use up the quota just now: wait a minute, or see quota.share.",
    "timeout": _NETWORK + " retry.request_timeout_s is how long an answer may take.",
    "connection_failed": _NETWORK,
    "connection_reset": _NETWORK,
    "dns_failed": "Check the host in {address}, and this machine's name service.",
    "tls_failed": "Check {address}, the clock and CA certificates of this machine, and what stands in between.",
    "bad_url": "Set {address} to an address such as https://host/api/v1.",
    "bad_answer": "Something else than the service answers there: check {address}.",
    "server_error": "The service has trouble of its own: try again later.",
    "service_unavailable": "The service has trouble of its own: try again later.",
    "invalid_parameter": "Check {stage}.model, {stage}.parameters and, for an embedder, embed.dim.",
    "bad_vector": "If it has another length: set {stage}.dim to that, and check {stage}.model.",
    "cut_caption": "Raise caption.max_tokens, or leave it empty.",
}


def remedy_of(fault: RowError, stage: str, config: CaptionConfig | EmbedConfig | RerankConfig) -> str:
    """What to do, in a sentence or two; empty where nobody knows.

    Args:
        fault: why there is no answer.
        stage: ``caption``, ``embed`` or ``rerank``.
        config: of that stage: the address may come from there, or from the environment.
    """
    return _BY_CODE.get(fault.code, "").format(stage=stage, address=_address(stage, config))


def _address(stage: str, config: CaptionConfig | EmbedConfig | RerankConfig) -> str:
    variable = address_variable(stage, config.provider)
    return variable if config.base_url is None and os.environ.get(variable) else f"{stage}.base_url"
