"""The Arrow schemas of the job: what every block, part file and dead letter looks like.

A block is always built from its declared schema, so a column that happens to be all null keeps its type.
Each stage's schema is the one before it, less what it has used up, plus what it adds.
"""

from __future__ import annotations

import pyarrow as pa

OUTCOME = [
    # Where and why a row failed; `code` is null as long as all is well.
    pa.field("stage", pa.string()),
    pa.field("code", pa.string()),
    pa.field("message", pa.string()),
    pa.field("retryable", pa.bool_()),
    pa.field("attempts", pa.int32()),
    pa.field("request_id", pa.string()),
]

MANIFEST_ROW = [
    pa.field("manifest_uri", pa.string()),
    pa.field("row_number", pa.int64()),  # 1 is the first row after the header; a folder's files are numbered
    pa.field("manifest_row", pa.string()),  # JSON object of the row as it stood in the manifest
]

# Manifest rows, as read and as planned.
ROWS = pa.schema(
    [
        pa.field("image_id", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("metadata", pa.string()),  # JSON object: the other columns, numbers as numbers
        pa.field("source_fingerprint", pa.string()),
        *MANIFEST_ROW,
        *OUTCOME,
    ]
)


def _extend(schema: pa.Schema, *fields: pa.Field, drop: tuple[str, ...] = ()) -> pa.Schema:
    return pa.schema([field for field in schema if field.name not in drop] + list(fields))


# What the planner needs of an image in the lake.
KNOWN = pa.schema(
    [
        pa.field("image_id", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("metadata", pa.string()),
        pa.field("content_sha256", pa.string()),
        pa.field("source_fingerprint", pa.string()),
        pa.field("caption_fingerprint", pa.string()),
        pa.field("embedding_fingerprint", pa.string()),
        pa.field("place", pa.int64()),  # where it stands in the lake (see `LakeView`): the newer, the larger
        pa.field("deleted", pa.bool_()),  # a snapshot took it out: the other columns are null
    ]
)

# Manifest rows that need work, with what the planner found.
PLANNED = _extend(
    ROWS,
    # work; recheck: nothing to do if the file has not changed; revise: likewise, but the row has; rewrite: only the row
    pa.field("how", pa.string()),
    pa.field("known_source", pa.string()),  # source fingerprint in the lake
    pa.field("place", pa.int64()),  # in the lake; null for a new image
)

# Answers that were paid for: of rows that failed or were stopped before they had all they need, or of the lake's.
PAID = pa.schema(
    [
        pa.field("content_sha256", pa.string()),
        pa.field("caption", pa.string()),
        pa.field("keywords", pa.list_(pa.string())),
        pa.field("caption_fingerprint", pa.string()),
        pa.field("image_embedding", pa.list_(pa.float32())),
        pa.field("text_embedding", pa.list_(pa.float32())),
        pa.field("embedding_fingerprint", pa.string()),
    ]
)

# The work list.
WORK = _extend(
    PLANNED,
    pa.field("known", pa.struct(PAID)),  # what the lake has of this image: for its content, whatever the source says
    drop=("how", "place"),
)
WORK = WORK.insert(len(ROWS), pa.field("recheck", pa.bool_()))  # the file may be the one that the lake has
WORK = WORK.insert(len(ROWS) + 1, pa.field("revise", pa.bool_()))  # and if it is, the row is written anew

FETCHED = _extend(
    ROWS,
    pa.field("content", pa.large_binary()),  # the file's bytes
    pa.field("content_sha256", pa.string()),
    pa.field("known_content", pa.string()),  # content_sha256 of this image in the lake
    pa.field("known_answers", pa.uint8()),  # what the lake's row has for it: see `stages.twins`
)

DECODED = _extend(
    FETCHED,
    pa.field("width", pa.int32()),  # of the picture as it is shown (EXIF applied), px
    pa.field("height", pa.int32()),
    pa.field("format", pa.string()),  # JPEG, PNG, WEBP …
    pa.field("pixels", pa.large_binary()),  # RGB uint8, row by row, of the reduced picture
    pa.field("jpeg", pa.large_binary()),  # the same as a file, instead of its pixels, if only services look at it
    pa.field("pixels_width", pa.int32()),  # of either
    pa.field("pixels_height", pa.int32()),
    drop=("content", "known_content", "known_answers"),
)

CAPTIONED = _extend(
    DECODED,
    pa.field("caption", pa.string()),
    pa.field("keywords", pa.list_(pa.string())),
    pa.field("caption_model", pa.string()),
    pa.field("caption_fingerprint", pa.string()),
)

EMBEDDED = _extend(
    CAPTIONED,
    pa.field("image_embedding", pa.list_(pa.float32())),  # L2-normalised, length dim; null if not configured
    pa.field("text_embedding", pa.list_(pa.float32())),
    pa.field("embed_model", pa.string()),
    pa.field("embedding_fingerprint", pa.string()),
    drop=("pixels", "jpeg", "pixels_width", "pixels_height"),
)

# The lake: one row per image that succeeded.
IMAGES = pa.schema(
    [
        pa.field("image_id", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("content_sha256", pa.string()),  # the content fingerprint
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("format", pa.string()),
        pa.field("caption", pa.string()),
        pa.field("keywords", pa.list_(pa.string())),
        pa.field("image_embedding", pa.list_(pa.float32())),
        pa.field("text_embedding", pa.list_(pa.float32())),
        pa.field("metadata", pa.string()),
        pa.field("source_fingerprint", pa.string()),
        pa.field("caption_fingerprint", pa.string()),
        pa.field("embedding_fingerprint", pa.string()),
        pa.field("caption_model", pa.string()),
        pa.field("embed_model", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("ingested_at", pa.timestamp("us", tz="UTC")),
    ]
)

# The lake: one row per image that did not; enough to run it again.
DEAD_LETTERS = pa.schema(
    [
        pa.field("image_id", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("metadata", pa.string()),
        pa.field("content_sha256", pa.string()),  # null if it was never fetched
        *OUTCOME,
        pa.field("run_id", pa.string()),
        pa.field("failed_at", pa.timestamp("us", tz="UTC")),
        *MANIFEST_ROW,
    ]
)

# Rows of a run whose content another row was being worked for.
TWINS = _extend(ROWS, pa.field("content_sha256", pa.string()))

# The lake: images that a snapshot took out of the catalogue.
DELETED = pa.schema([pa.field("image_id", pa.string())])
