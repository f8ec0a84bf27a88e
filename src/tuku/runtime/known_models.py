"""`tuku models`: the models that providers can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuku.protocols import ModelDescription
from tuku.providers.registry import known_models

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class KnownModels:
    """Models, each with the stage that asks it."""

    models: tuple[tuple[str, ModelDescription], ...]

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        listed = [
            {
                "stage": stage,
                "provider": model.provider,
                "model": model.model,
                "dim": model.dim,
                "parameters_m": model.parameters_m,
                "languages": list(model.languages),
                "licence": model.licence,
                "runs_here": model.lane != "api",
                "note": model.note,
            }
            for stage, model in self.models
        ]
        return {"models": listed}

    def summary(self) -> RenderableType:
        """For people."""
        from tuku.tables import table

        shown = table("stage", "provider", "model", ">dim", ">parameters", "languages", "licence")
        for stage, model in self.models:
            size = "" if model.parameters_m is None else f"{model.parameters_m:,} M"
            dim, languages = str(model.dim or ""), ", ".join(model.languages)
            shown.add_row(stage, model.provider, model.model, dim, size, languages, model.licence)
        return shown


def list_models() -> KnownModels:
    """All that are known by name; an endpoint that speaks OpenAI's protocol, and any folder, have more."""
    return KnownModels(tuple(known_models()))
