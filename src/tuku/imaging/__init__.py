"""Image files to pixels, defensively: every hostile or broken file ends as a `RowError` with its own code."""

from tuku.imaging.coded import Coded, CodedPicture, code
from tuku.imaging.decode import Decoded, decode
from tuku.imaging.resize import encode_jpeg, resize, thumbnail

__all__ = ["Coded", "CodedPicture", "Decoded", "code", "decode", "encode_jpeg", "resize", "thumbnail"]
