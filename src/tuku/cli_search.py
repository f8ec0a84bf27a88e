"""`tuku search`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuku.cli_options import common, read_config
from tuku.cli_output import print_json
from tuku.errors import ConfigError

if TYPE_CHECKING:
    from tuku.search.query import Target


def _boosts(_context: click.Context, _option: click.Parameter, given: Sequence[str]) -> dict[str, float]:
    boosts = {}
    for text in given:
        condition, _, factor = text.rpartition("=")
        try:
            boosts[condition.strip()] = float(factor)
        except ValueError:
            raise click.BadParameter(f"{text!r} does not end in =FACTOR, such as stock=1.2.") from None
    return boosts


@click.command()
@click.argument("text", required=False)
@click.option("--image", help="Search with a picture: a path or a URL. With TEXT: with both together.")
@click.option(
    "--in",
    "target",
    type=click.Choice(["image", "text", "both"]),
    help="Which vectors to search: of pictures, of captions, or both. [default: the first of milvus.vectors]",
)
@click.option("--where", help="Only images that meet it: \"price < 100 and category in ['a', 'b']\".")
@click.option("--boost", "boosts", multiple=True, callback=_boosts, metavar="CONDITION=FACTOR", help="Repeatable.")
@click.option("--group-by", metavar="FIELD", help="Only the best of the images that share its value.")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out so many of the best.")
@click.option("--min-score", type=float, help="Leave out what scores less in every field.")
@click.option("--rerank", is_flag=True, help="Show the best to the configured reranker.")
@click.option("--queries", type=click.Path(path_type=Path, dir_okay=False), help="Many at a time: JSONL, - for stdin.")
@click.option("--grid", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as a picture (PNG).")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write them as a page (HTML).")
@click.option("--open", "opened", is_flag=True, help="Show that page in the browser.")
@common
def search(
    text: str | None,
    image: str | None,
    target: Target | None,
    where: str | None,
    boosts: dict[str, float],
    group_by: str | None,
    limit: int,
    offset: int,
    min_score: float | None,
    rerank: bool,
    queries: Path | None,
    grid: Path | None,
    html: Path | None,
    opened: bool,
    profile: Path | None,
    overrides: Sequence[str],
    as_json: bool,
) -> int:
    """Find images by TEXT, by a picture, or by both together; in the pictures, in their captions, or in both."""
    from tuku.runtime.searching import search as run_search
    from tuku.runtime.searching import search_file
    from tuku.search.query import Query
    from tuku.terminal import answer_summary, make_console

    config = read_config(profile, overrides)
    query = Query(
        text=text,
        image=image,
        target=target or config.milvus.vectors[0],
        where=where,
        limit=limit,
        offset=offset,
        min_score=min_score,
        boosts=boosts,
        group_by=group_by,
        rerank=rerank,
    )
    if queries is not None:
        if text or image or grid or html or opened:
            raise ConfigError(
                "--queries goes with none of TEXT, --image, --grid, --html and --open.", "Leave them out."
            )
        answers = search_file(config, queries, query)
        if as_json:
            print_json({"answers": [answer.to_dict() for answer in answers]})
            return 0
        for answer in answers:
            make_console(sys.stdout).print(answer_summary(answer, titled=True))
        return 0
    answer, written = run_search(config, query, grid=grid, html=html, opened=opened)
    if as_json:
        print_json(answer.to_dict())
        return 0
    make_console(sys.stdout).print(answer_summary(answer))
    for kind, path in written.items():
        click.echo(f"{kind}: {path}")
    return 0
