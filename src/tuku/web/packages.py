"""What `tuku serve` needs beyond tuku's own dependencies."""

from __future__ import annotations

from importlib.util import find_spec

from tuku.errors import ConfigError

_PACKAGES = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
}


def require_packages() -> None:
    """Check that they are installed.

    Raises:
        ConfigError: some are not.
    """
    missing = [name for module, name in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"tuku serve needs {', '.join(missing)}, not installed here.", "Install with: pip install 'tuku[serve]'"
        )
