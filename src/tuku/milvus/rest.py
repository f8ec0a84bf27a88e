"""One request to Milvus' REST interface: where it is, who asks, and what a refusal becomes."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tuku.errors import MilvusError
from tuku.milvus.address import is_this_machine, secrets_of
from tuku.milvus.calls import TRANSIENT_MILVUS_CODES, MilvusAwayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuku.config import MilvusConfig

_TIMEOUT_S = 30.0
_AWAY = {429, 502, 503, 504}
_MOST_SAID = 500  # characters of what a server says against a request
_MOST_READ = 100_000


class AbsentError(MilvusError):
    """There is no such interface at this address."""


class RestService:
    """Milvus' REST interface.

    Args:
        config: where Milvus is, its database, and the token that it asks for.
        url: of the interface; None: the server listens for it where it listens for gRPC.
        secrets: that are sent along, and that no message may repeat.
    """

    def __init__(self, config: MilvusConfig, url: str | None = None, secrets: Sequence[str] = ()) -> None:
        self._secrets = (*secrets, *secrets_of(config.uri))
        at = urlsplit(config.uri)
        # pymilvus takes a path in milvus.uri for a database, and credentials for the token.
        host = at.netloc.rpartition("@")[2]
        self._base = url.rstrip("/") if url else f"{'https' if at.scheme == 'https' else 'http'}://{host}"
        self._there = bool(url or host)
        self._token = config.token.get_secret_value() if config.token else ""
        if not self._token and at.username and not url:
            self._token = f"{unquote(at.username)}:{unquote(at.password or '')}"
        self._db = config.db
        self._tls = config.tls
        self._server_name = None if url else config.tls.server_name

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for something, once.

        Args:
            path: of the interface, starting with a slash.
            body: sent as JSON.

        Returns:
            ``data`` of the answer; empty if there is none.

        Raises:
            AbsentError: there is no such interface.
            MilvusAwayError: nobody answers, or somebody is too busy to.
            MilvusError: the answer is a refusal; the message does not have the token in it.
        """
        where = f"{self._base}{path}"
        if not self._there:
            raise AbsentError(f"{where} is no address of a REST interface.")
        headers = {"Content-Type": "application/json", "DB-Name": self._db}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(  # noqa: S310  http and https only: see the base
            where, data=json.dumps(body).encode(), headers=headers
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                said = json.load(answer)
        except urllib.error.HTTPError as error:
            raise self._refused(error, where) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            message = f"Milvus' REST interface at {where} does not answer: {self.safe(error)}."
            raise (MilvusAwayError if isinstance(error, OSError) else MilvusError)(message) from None
        if not isinstance(said, dict) or said.get("code") not in {0, 200}:
            reason = said.get("message", said) if isinstance(said, dict) else said
            away = isinstance(said, dict) and said.get("code") in TRANSIENT_MILVUS_CODES
            raise (MilvusAwayError if away else MilvusError)(f"Milvus refused {where}: {self.safe(reason)}.")
        data = said.get("data")
        return data if isinstance(data, dict) else {}

    def safe(self, said: object) -> str:
        """What somebody said, as it may be shown: shortened, and without the token and the secrets."""
        text = str(said)
        for secret in (self._token, *self._secrets):
            text = text.replace(secret, "***") if secret else text
        return text[:_MOST_SAID]

    @cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        """Made once: reading the system's certificates takes longer than a request."""
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.server_name = self._server_name
        if self._tls.ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(self._tls.ca_file)
        if self._tls.cert_file is not None:
            context.load_cert_chain(self._tls.cert_file, self._tls.key_file)
        handlers: list[Any] = [urllib.request.HTTPSHandler(context=context), _NoRedirects()]
        if is_this_machine(self._base):
            handlers.append(urllib.request.ProxyHandler({}))  # no proxy leads back to this machine
        return urllib.request.build_opener(*handlers)

    def _refused(self, error: urllib.error.HTTPError, where: str) -> MilvusError:
        with error:
            if error.code in {404, 405, 501}:
                return AbsentError(f"There is nothing at {where} (HTTP {error.code}).")
            said = error.read(_MOST_READ).decode(errors="replace")
        message = f"Milvus refused {where} (HTTP {error.code}): {self.safe(said)}."
        if error.code in _AWAY:
            return MilvusAwayError(message, "It may be starting or busy: run `tuku load` again.")
        remedy = "Check load.rest_url."
        if error.code in {401, 403}:
            remedy = "Check MILVUS_TOKEN, and that its user may import."
        return MilvusError(message, remedy)


class _Context(ssl.SSLContext):
    """Expects the server to have the certificate of another name than its host's, if one is given."""

    server_name: str | None = None

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        if self.server_name is not None:
            kwargs["server_hostname"] = self.server_name
        return super().wrap_socket(*args, **kwargs)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token to somebody else."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None  # it is an error, as any other answer that is none
