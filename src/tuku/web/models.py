"""What is sent to the API and what comes back, checked, and described in its OpenAPI schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_TEXT, MAX_WHERE, MAX_ID = 2_000, 4_000, 512
"""Characters."""
MAX_LIMIT, MAX_OFFSET = 200, 10_000
MAX_SHOWN = 500
"""Results of which a click tells."""

_SCHEMAS = "#/components/schemas/"

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
Where = Annotated[str, Field(max_length=MAX_WHERE, examples=["price < 100 and category in ['shoes', '服装']"])]


class Asked(BaseModel):
    """How to search, whatever is searched with."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    target: Literal["image", "text", "both"] | None = Field(
        None, alias="in", description="Among pictures, captions, or both; by default the collection's first vector."
    )
    where: Where | None = Field(None, description="Only images that meet it.")
    boosts: dict[Annotated[str, Field(max_length=MAX_WHERE)], float] = Field(
        default={}, max_length=20, description="By condition: what the scores of images that meet it are multiplied by."
    )
    group_by: Annotated[str, Field(max_length=255)] | None = Field(
        None, description="One image for each of its values."
    )
    limit: int = Field(24, ge=1, le=MAX_LIMIT, description="How many results.")
    offset: int = Field(0, ge=0, le=MAX_OFFSET, description="Leave out so many of the best.")
    min_score: float | None = Field(None, allow_inf_nan=False, description="Leave out what scores less in every field.")
    rerank: bool = Field(False, description="Show the best to the reranker.")


class Search(Asked):
    """A text, a picture, or both together."""

    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = Field(
        None, description="What is looked for; with a picture, what is wanted of it.", examples=["a cat"]
    )
    image: str | None = Field(
        None,
        description="A picture's file in base64 (a data: URL is fine too). Where the server allows it, an http(s) URL.",
    )


class Found(BaseModel):
    """One image."""

    id: str
    score: float
    scores: dict[str, float]
    uri: str
    caption: str
    keywords: list[str]
    metadata: dict[str, Any]
    reason: str | None


class Answer(BaseModel):
    """As `tuku search --json` prints it; of the query also `like` (an image's id) and `image_sha256`."""

    query: dict[str, Any]
    results: list[Found]
    reranked: bool
    timings_ms: dict[str, float]
    notes: list[str]


class Images(BaseModel):
    """Some images."""

    results: list[Found]


class Value(BaseModel):
    """A value and in how many of the sampled images it was seen."""

    value: str | bool | int | float
    count: int


class FieldInfo(BaseModel):
    """What a filter can be made of."""

    name: str
    kinds: list[Literal["text", "number", "bool", "list", "object"]]
    values: list[Value] = Field(description="The most frequent ones in a sample.")
    distinct: int = Field(description="How many values were seen, at most 200.")
    least: float | None = Field(None, description="Of the numbers that were seen.")
    most: float | None = None


class Fields(BaseModel):
    """What can be asked of this collection."""

    vectors: list[Literal["image", "text"]]
    rerank: bool
    image_urls: bool
    max_upload_bytes: int
    fields: list[FieldInfo]


class ClickedQuery(BaseModel):
    """The query whose answer was clicked on: as the answer has it."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    target: Literal["image", "text", "both"] | None = Field(None, alias="in")
    where: Where | None = None
    image_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    like: Id | None = None


class Click(BaseModel):
    """Somebody opened a result."""

    model_config = ConfigDict(extra="forbid")

    query: ClickedQuery
    results: Annotated[list[Id], Field(min_length=1, max_length=MAX_SHOWN, description="The ids shown, best first.")]
    id: Id
    rank: int = Field(ge=1, description="Of the clicked one among those, from 1.")


class Problem(BaseModel):
    """RFC 9457, application/problem+json."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str
    place: int | None = Field(None, description="Of a filter that cannot be understood: the wrong character's index.")


def parameters_of(model: type[BaseModel], *left_out: str) -> list[dict[str, Any]]:
    """A model's fields as OpenAPI has parameters of a query string; an object is sent as JSON."""
    properties = model.model_json_schema(by_alias=True)["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {"type": "string", "example": '{"stock": 1.2}'} if schema.get("type") == "object" else schema,
            "description": schema.get("description", ""),
        }
        for name, schema in properties.items()
        if name not in left_out
    ]


def schemas_of(*models: type[BaseModel]) -> dict[str, Any]:
    """Models that no route's signature names, as OpenAPI keeps them."""
    return {model.__name__: model.model_json_schema(ref_template=_SCHEMAS + "{model}") for model in models}
