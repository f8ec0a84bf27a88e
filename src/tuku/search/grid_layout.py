"""Where everything goes on the picture grid: plain arithmetic, all lengths in px."""

from __future__ import annotations

from dataclasses import dataclass

MARGIN = 28
GAP = 18
TILE_WIDTH = 272
PICTURE_HEIGHT = 204
TEXT_HEIGHT = 122
TILE_HEIGHT = PICTURE_HEIGHT + TEXT_HEIGHT
PADDING = 14

_FEW = 4
_COLUMNS = (5, 4, 3)


@dataclass(frozen=True)
class Box:
    """A rectangle, from its left upper corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Layout:
    """The whole picture: the query beside `rows` × `columns` tiles."""

    columns: int
    rows: int

    @classmethod
    def of(cls, tiles: int, columns: int | None = None) -> Layout:
        """Room for so many tiles; without `columns`, as few gaps in the last row as can be."""
        wanted = columns or _tidy(tiles)
        return cls(max(1, min(wanted, tiles)), max(1, -(-tiles // wanted)))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        across, down = self.columns + 1, self.rows
        return (
            2 * MARGIN + across * TILE_WIDTH + (across - 1) * GAP,
            2 * MARGIN + down * TILE_HEIGHT + (down - 1) * GAP,
        )

    @property
    def query(self) -> Box:
        """The panel on the left, as high as all the rows."""
        return Box(MARGIN, MARGIN, TILE_WIDTH, self.size[1] - 2 * MARGIN)

    def tile(self, position: int) -> Box:
        """The tile of a result; 0 is the best."""
        row, column = divmod(position, self.columns)
        left = MARGIN + (column + 1) * (TILE_WIDTH + GAP)
        return Box(left, MARGIN + row * (TILE_HEIGHT + GAP), TILE_WIDTH, TILE_HEIGHT)


def _tidy(tiles: int) -> int:
    return max(1, tiles) if tiles <= _FEW else min(_COLUMNS, key=lambda columns: -tiles % columns)
