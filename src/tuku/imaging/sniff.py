"""What a file is, by its first bytes: never by its name or by what a server says of it."""

from __future__ import annotations

from tuku.errors import RowError

# Names are Pillow's. A JPEG that holds several pictures (MPO: phones, stereo cameras) begins like any other.
_TAKEN = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBPVP8", "WEBP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (0, b"BM", "BMP"),
)

# What else people put into catalogues. It is looked for first: some raw files are TIFF inside.
_REFUSED = (
    (8, b"CR\x02\0", "a Canon CR2 raw picture"),
    (0, b"8BPS", "a Photoshop PSD file"),
    (0, b"\0\0\x01\0", "an ICO icon"),
    (0, b"\0\0\x02\0", "a CUR cursor"),
    (0, b"icns", "an ICNS icon"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"%!PS", "an EPS or PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "an EPS document"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 codestream"),
    (0, b"gimp xcf", "a GIMP XCF file"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance HDR picture"),
    (0, b"SIMPLE  =", "a FITS picture"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"qoif", "a QOI picture"),
    (0, b"AT&TFORM", "a DjVu document"),
    (0, b"\xd7\xcd\xc6\x9a", "a WMF drawing"),
    (40, b" EMF", "an EMF drawing"),
    (0, b"FUJIFILMCCD-RAW", "a Fujifilm raw picture"),
    (8, b"AVI LIST", "an AVI video"),
    (8, b"WAVEfmt", "a WAV recording"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"ID3", "an MP3 recording"),
    (0, b"OggS", "an Ogg recording"),
    (0, b"PK\x03\x04", "a ZIP archive or office document"),
    (0, b"\x1f\x8b\x08", "a gzip archive"),
)

# Brands of the ISO base media file format: what comes after ``ftyp``.
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_HEAD_BYTES = 1024
_SPACE = 0x20  # bytes below it are control characters


def sniff(content: bytes) -> str:
    """Pillow's name of the format: JPEG, PNG, WEBP, GIF, BMP, TIFF or AVIF.

    Raises:
        RowError: ``empty``; ``unsupported_format``, naming it, for one that is known but not taken;
            ``not_an_image``.
    """
    head = content[:_HEAD_BYTES]
    if not head:
        raise RowError("empty", "the file has no bytes")
    if head[4:8] == b"ftyp":
        return _sniff_boxes(head)
    for offset, magic, name in _REFUSED:
        if head.startswith(magic, offset):
            raise _unsupported(name)
    for offset, magic, name in _TAKEN:
        if head.startswith(magic, offset):
            return name
    raise _not_an_image(head)


def _sniff_boxes(head: bytes) -> str:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12]} | {head[start : start + 4] for start in range(16, end, 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    what = "a HEIC picture" if brands & _HEIF_BRANDS else "a video (MP4, MOV or their like) or a raw picture"
    raise _unsupported(what)


def _unsupported(what: str) -> RowError:
    return RowError("unsupported_format", f"{what}; taken are JPEG, PNG, WEBP, GIF, BMP, TIFF and AVIF")


def _not_an_image(head: bytes) -> RowError:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return RowError("not_an_image", "an HTML page: perhaps a login, a consent or an error page")
    if b"<svg" in text and text.startswith(b"<"):
        return _unsupported("an SVG drawing")
    if text.startswith((b"{", b"[")):
        return RowError("not_an_image", "JSON text: perhaps an error message of the server")
    if text.startswith(b"<"):
        return RowError("not_an_image", "XML text: perhaps an error message of the object store")
    if all(byte >= _SPACE or byte in b"\t\r\n\f" for byte in head):
        return RowError("not_an_image", "plain text")
    return RowError("not_an_image", f"unknown bytes (they begin with {head[:8].hex(' ')})")
