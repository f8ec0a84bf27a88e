"""What nobody foresaw: told in a line, with the details in the run's folder."""

from __future__ import annotations

import traceback
from contextlib import suppress

from tuku.errors import TukuError
from tuku.lake import Run


def unexpected(run: Run, error: Exception) -> TukuError:
    """The error as users see it; its traceback is in the run's folder, if that has been begun."""
    details = "".join(traceback.format_exception(error))
    where = ""
    if run.begun:
        with suppress(TukuError):  # The disk may be what failed.
            run.write_text("traceback.txt", details)
            where = f" Details: {run.storage.where(run.folder)}/traceback.txt."
    first_line = (str(error).strip().splitlines() or [""])[0][:300]
    return TukuError(
        f"Unexpected {type(error).__name__}: {first_line}.{where}",
        "What was finished is kept: running the same command again goes on from there.",
    )
