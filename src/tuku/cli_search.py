"""`tuku search`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

from tuku.cli_options import common, read_config
from tuku.cli_output import print_json
from tuku.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tuku.config import Config
    from tuku.search.query import Query, Target

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Asked(TypedDict):
    """The options that are attributes of a `Query`."""

    text: str | None
    image: str | None
    where: str | None
    boosts: dict[str, float]
    group_by: str | None
    limit: int
    offset: int
    min_score: float | None
    rerank: bool


def _boosts(_context: click.Context, _option: click.Parameter, given: Sequence[str]) -> dict[str, float]:
    boosts = {}
    for text in given:
        condition, _, factor = text.rpartition("=")
        try:
            boosts[condition.strip()] = float(factor)
        except ValueError:
            raise click.BadParameter(f"{text!r} does not end in =FACTOR, such as stock=1.2.") from None
    return boosts


def _question(command: _Command) -> _Command:
    """What is looked for, and where."""
    text = click.argument("text", required=False)
    image = click.option("--image", help="Search with a picture: a path or a URL. With TEXT: with both together.")
    target = click.option(
        "--in",
        "target",
        type=click.Choice(["image", "text", "both"]),
        help="Which vectors to search: of pictures, of captions, or both. [default: the first of milvus.vectors]",
    )
    where = click.option("--where", help="Only images that meet it: \"price < 100 and category in ['a', 'b']\".")
    return text(image(target(where(command))))


def _selection(command: _Command) -> _Command:
    """Which of what was found is shown, and in which order."""
    boosts = click.option(
        "--boost", "boosts", multiple=True, callback=_boosts, metavar="CONDITION=FACTOR", help="Repeatable."
    )
    group_by = click.option("--group-by", metavar="FIELD", help="Only the best of the images that share its value.")
    limit = click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True)
    offset = click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out so many of the best.")
    min_score = click.option("--min-score", type=float, help="Leave out what scores less in every field.")
    rerank = click.option("--rerank", is_flag=True, help="Show the best to the configured reranker.")
    return boosts(group_by(limit(offset(min_score(rerank(command))))))


def _output(command: _Command) -> _Command:
    """What is made of the answer beside the table."""
    file = click.Path(path_type=Path, dir_okay=False)
    grid = click.option("--grid", type=file, help="Write the results as a picture (PNG).")
    html = click.option("--html", type=file, help="Write them as a page (HTML).")
    opened = click.option("--open", "opened", is_flag=True, help="Show that page in the browser.")
    return grid(html(opened(command)))


@click.command()
@_question
@_selection
@click.option("--queries", type=click.Path(path_type=Path, dir_okay=False), help="Many at a time: JSONL, - for stdin.")
@_output
@common
def search(
    target: Target | None,
    queries: Path | None,
    grid: Path | None,
    html: Path | None,
    opened: bool,
    profile: Path | None,
    overrides: Sequence[str],
    as_json: bool,
    **asked: Unpack[_Asked],
) -> int:
    """Find images by TEXT, by a picture, or by both together; in the pictures, in their captions, or in both."""
    from tuku.search.query import Query

    config = read_config(profile, overrides)
    query = Query(target=target or config.milvus.vectors[0], **asked)
    if queries is None:
        _answer(config, query, grid, html, opened=opened, as_json=as_json)
        return 0
    if query.text or query.image or grid or html or opened:
        raise ConfigError("--queries goes with none of TEXT, --image, --grid, --html and --open.", "Leave them out.")
    _answer_all(config, queries, query, as_json=as_json)
    return 0


def _answer(config: Config, query: Query, grid: Path | None, html: Path | None, *, opened: bool, as_json: bool) -> None:
    from tuku.runtime.searching import search as run_search
    from tuku.terminal import answer_summary, make_console

    answer, written = run_search(config, query, grid=grid, html=html, opened=opened)
    if as_json:
        print_json(answer.to_dict())
        return
    make_console(sys.stdout).print(answer_summary(answer))
    for kind, path in written.items():
        click.echo(f"{kind}: {path}")


def _answer_all(config: Config, queries: Path, defaults: Query, *, as_json: bool) -> None:
    from tuku.runtime.searching import search_file
    from tuku.terminal import answer_summary, make_console

    answers = search_file(config, queries, defaults)
    if as_json:
        print_json({"answers": [answer.to_dict() for answer in answers]})
        return
    for answer in answers:
        make_console(sys.stdout).print(answer_summary(answer, titled=True))
