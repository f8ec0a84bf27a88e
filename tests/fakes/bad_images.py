"""Bad and odd image files, made by code: what catalogues hold besides photographs."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

WIDTH, HEIGHT = 120, 80
MAX_PIXELS = 1_000_000  # any limit from here to 100 megapixels gives the same codes


def picture(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """An RGB picture with detail everywhere, so that no part of its file can be spared: red grows to the right."""
    rng = np.random.default_rng(20240501)
    pixels = rng.integers(0, 90, (height, width, 3), dtype=np.uint8)
    pixels[..., 0] += np.linspace(0, 160, width, dtype=np.uint8)
    pixels[..., 1] += np.linspace(0, 160, height, dtype=np.uint8)[:, None]
    return Image.fromarray(pixels)


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """The bytes of a file as Pillow writes it."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def cut(content: bytes, percent: int) -> bytes:
    """The first part of a file."""
    return content[: len(content) * percent // 100]


def png(width: int, height: int, pixels: bytes, *extra: bytes, bits: int = 8, colour: int = 0) -> bytes:
    """A PNG file with whatever its header is told; `pixels` are filtered scanlines, uncompressed."""
    header = struct.pack(">LLBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with its right checksum."""
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def tiff(*entries: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    """A little-endian TIFF file of one directory: (tag, type, count, value or offset); `data` follows it."""
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<L", 8) + directory + b"\0\0\0\0" + data


def boxes(brand: bytes) -> bytes:
    """The beginning of an ISO base media file, such as HEIC or MP4."""
    return struct.pack(">L", 24) + b"ftyp" + brand + b"\0\0\0\0" + brand + b"isom" + bytes(200)


@functools.cache
def bad_images() -> dict[str, tuple[bytes, str]]:
    """Name (fit for a file and a URL) → (file, the code with which it must fail at `MAX_PIXELS`)."""
    return {**_not_pictures(), **_refused_by_their_header(), **_cut_short(), **_damaged()}


@functools.cache
def odd_images() -> dict[str, bytes]:
    """Name → file that is valid, however unusual: each must decode, `WIDTH` × `HEIGHT` but for ``one-…``."""
    return {**_odd_jpegs(), **_odd_pngs(), **_odd_tiffs(), **_odd_others()}


def _not_pictures() -> dict[str, tuple[bytes, str]]:
    not_an_image, unsupported = "not_an_image", "unsupported_format"
    return {
        "empty": (b"", "empty"),
        "html-page": (b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>", not_an_image),
        "html-page-with-svg": (b"\n <html><svg></svg></html>", not_an_image),
        "json": (b'{"error": "no such key"}', not_an_image),
        "xml": (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', not_an_image),
        "text": ("不是图片\n".encode(), not_an_image),
        "random-bytes": (np.random.default_rng(7).bytes(5000), not_an_image),
        "zeros": (bytes(5000), not_an_image),
        "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', unsupported),
        "pdf": (b"%PDF-1.7\n", unsupported),
        "psd": (b"8BPS\0\1" + bytes(40), unsupported),
        "ico": (encoded(picture(16, 16), "ICO"), unsupported),
        "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", unsupported),
        "jpeg-xl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), unsupported),
        "jpeg-2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), unsupported),
        "heic": (boxes(b"heic"), unsupported),
        "mp4": (boxes(b"mp42"), unsupported),
        "zip": (b"PK\x03\x04" + bytes(40), unsupported),
    }


def _refused_by_their_header() -> dict[str, tuple[bytes, str]]:
    huge = (30_000).to_bytes(2, "big")
    jpeg = encoded(picture(), "JPEG")
    size_at = jpeg.index(b"\xff\xc0") + 5
    canvas = b"VP8X" + struct.pack("<LL", 10, 0) + b"\xff\xff\xff" * 2
    return {
        "png-bomb": (png(60_000, 60_000, bytes(60_001)), "too_many_pixels"),
        "png-line": (png(100_000, 1, bytes(100_001)), "too_many_pixels"),
        "png-without-width": (png(0, 10, bytes(10)), "too_small"),
        "jpeg-bomb": (jpeg[:size_at] + huge * 2 + jpeg[size_at + 4 :], "too_many_pixels"),
        "gif-bomb": (b"GIF89a" + b"\xff\xff" * 2 + _gif(1, 1)[10:], "too_many_pixels"),
        "webp-bomb": (b"RIFF" + struct.pack("<L", len(canvas) + 4) + b"WEBP" + canvas, "too_many_pixels"),
        "tiff-with-giant-tiles": (
            tiff((256, 3, 1, 8), (257, 3, 1, 8), (322, 4, 1, 1 << 16), (323, 4, 1, 1 << 15), (324, 4, 1, 8)),
            "too_many_pixels",
        ),
    }


def _cut_short() -> dict[str, tuple[bytes, str]]:
    whole = {
        "jpeg": encoded(picture(), "JPEG"),
        "progressive-jpeg": encoded(picture(), "JPEG", progressive=True),
        "jpeg-with-a-preview": _with_preview(),
        "png": encoded(picture(), "PNG"),
        "webp": encoded(picture(), "WEBP"),
        "lossless-webp": encoded(picture(), "WEBP", lossless=True),
        "gif": encoded(picture(), "GIF"),
        "bmp": encoded(picture(), "BMP"),
        "tiff": encoded(picture(), "TIFF"),
        "deflated-tiff": encoded(picture(), "TIFF", compression="tiff_adobe_deflate"),
    }
    return {
        f"{name}-cut-at-{percent}": (cut(content, percent), "truncated")
        for name, content in whole.items()
        for percent in (30, 60, 90, 99)
    }


def _damaged() -> dict[str, tuple[bytes, str]]:
    plain = encoded(picture(), "PNG")
    flipped = plain[:200] + bytes([plain[200] ^ 1]) + plain[201:]
    webp = encoded(picture(), "WEBP", lossless=True)
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(20_000_000)))
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(20_000_000)))
    pixel_lines = bytes((WIDTH + 1) * HEIGHT)
    sizes = ((256, 3, 1, 8), (257, 3, 1, 8))
    shared = [(tag, 1, 900_000, 20_000) for tag in range(1000, 2500)]
    return {
        "png-with-a-flipped-bit": (flipped, "corrupt"),
        "png-with-garbage": (plain[:33] + bytes(5000), "corrupt"),
        "png-with-too-few-lines": (png(WIDTH, HEIGHT, pixel_lines[: WIDTH * 9]), "corrupt"),
        "png-text-bomb": (png(WIDTH, HEIGHT, pixel_lines, bomb), "corrupt"),
        "png-profile-bomb": (png(WIDTH, HEIGHT, pixel_lines, profile), "corrupt"),
        "webp-with-garbage": (webp[:25] + b"\xaa" * (len(webp) - 25), "corrupt"),
        "jpeg-closed-too-early": (cut(encoded(picture(), "JPEG"), 60) + b"\xff\xd9", "truncated"),
        "jpeg-that-ends-in-zeros": (cut(encoded(picture(), "JPEG"), 60) + bytes(200_000), "truncated"),
        "jpeg-header-alone": (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(9) + b"\xff\xda\0\2\xff\xd9", "corrupt"),
        "gif-without-frames": (b"GIF89a" + struct.pack("<HH", WIDTH, HEIGHT) + b"\0\0\0;", "corrupt"),
        "tiff-without-pixels": (tiff((256, 3, 1, WIDTH), (257, 3, 1, HEIGHT)), "corrupt"),
        "tiff-with-a-crazy-tag": (tiff((256, 4, 1 << 31, 8), (257, 3, 1, HEIGHT)), "truncated"),
        "tiff-with-endless-strips": (
            tiff((256, 3, 1, 8), (257, 3, 1, 8), (273, 4, 600_000, 50), data=bytes(2_400_000)),
            "corrupt",
        ),
        "tiff-whose-tags-share-their-data": (tiff(*sizes, *shared, data=bytes(1_000_000)), "corrupt"),
        "bmp-header-alone": (b"BM" + struct.pack("<LLL", 18, 0, 14) + b"\7\0\0\0", "corrupt"),
    }


def _gif(width: int, height: int) -> bytes:
    return encoded(picture(width, height), "GIF")


def _with_preview() -> bytes:
    """A JPEG whose EXIF holds a whole small JPEG of its own, as cameras write it."""
    preview = encoded(picture(40, 30), "JPEG")
    exif = b"Exif\0\0" + tiff((0x0112, 3, 1, 1), data=preview)
    return encoded(picture(), "JPEG", exif=exif)


def _odd_jpegs() -> dict[str, bytes]:
    photo = picture()
    plain = encoded(photo, "JPEG")
    cmyk = photo.convert("CMYK")
    turned = {}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned[f"jpeg-turned-{orientation}"] = encoded(stored(photo, orientation), "JPEG", exif=exif)
    return {
        **turned,
        "progressive-jpeg": encoded(photo, "JPEG", progressive=True),
        "grey-jpeg": encoded(photo.convert("L"), "JPEG"),
        "cmyk-jpeg": encoded(cmyk, "JPEG"),
        "ycck-jpeg": ycck(cmyk),
        "jpeg-with-junk-behind-it": plain + b"junk" * 100,
        "jpeg-with-broken-exif": encoded(photo, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffnonsense"),
        "jpeg-with-an-impossible-orientation": encoded(photo, "JPEG", exif=b"Exif\0\0" + tiff((0x0112, 3, 1, 77))),
        "jpeg-with-a-preview": _with_preview(),
        "jpeg-with-a-broken-profile": encoded(photo, "JPEG", icc_profile=b"no profile" * 30),
        "jpeg-with-an-srgb-profile": encoded(photo, "JPEG", icc_profile=srgb_profile()),
        "jpeg-with-several-pictures": encoded(photo, "MPO", save_all=True, append_images=[picture(40, 30)]),
    }


def ycck(image: Image.Image) -> bytes:
    """A JPEG whose Adobe marker says that its inverted CMYK values are YCCK."""
    content = bytearray(encoded(image, "JPEG", quality=100))
    content[content.index(b"Adobe") + 11] = 2
    return bytes(content)


def stored(upright: Image.Image, orientation: int) -> Image.Image:
    """How a camera stores what is seen as `upright` (EXIF 2.32, tag 0x0112)."""
    turns = Image.Transpose
    undo = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_90,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_270,
    }
    return upright.transpose(undo[orientation]) if orientation in undo else upright


def srgb_profile() -> bytes:
    """The ICC profile that says nothing new."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _odd_pngs() -> dict[str, bytes]:
    photo = picture()
    alpha = photo.copy()
    alpha.putalpha(photo.getchannel("R"))
    palette = photo.quantize(16)
    deep = Image.fromarray(np.linspace(0, 65_535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH))
    rgb16 = bytes(HEIGHT * (1 + WIDTH * 6))
    return {
        "palette-png": encoded(palette, "PNG"),
        "palette-png-with-transparency": encoded(palette, "PNG", transparency=0),
        "palette-png-with-alpha": encoded(palette, "PNG", transparency=bytes(range(0, 256, 16))),
        "rgba-png": encoded(alpha, "PNG"),
        "grey-png-with-alpha": encoded(alpha.convert("LA"), "PNG"),
        "rgb-png-with-a-transparent-colour": encoded(photo, "PNG", transparency=(0, 0, 0)),
        "1-bit-png": encoded(photo.convert("1"), "PNG"),
        "16-bit-grey-png": encoded(deep, "PNG"),
        "16-bit-rgb-png": png(WIDTH, HEIGHT, rgb16, bits=16, colour=2),
        "animated-png": encoded(photo, "PNG", save_all=True, append_images=[photo.rotate(90)]),
    }


def _odd_tiffs() -> dict[str, bytes]:
    photo = picture()
    ramp = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    gaps = np.where(ramp > 0.9, np.nan, ramp)
    return {
        "16-bit-tiff": encoded(Image.fromarray((ramp * 65_535).astype(np.uint16)), "TIFF"),
        "32-bit-integer-tiff": encoded(Image.fromarray((ramp * 2_000_000 - 9).astype(np.int32)), "TIFF"),
        "float-tiff": encoded(Image.fromarray(ramp), "TIFF"),
        "float-tiff-with-nan": encoded(Image.fromarray(gaps), "TIFF"),
        "float-tiff-of-one-value": encoded(Image.fromarray(ramp * 0), "TIFF"),
        "cmyk-tiff": encoded(photo.convert("CMYK"), "TIFF"),
        "fax-tiff": encoded(photo.convert("1"), "TIFF", compression="group4"),
        "lzw-tiff": encoded(photo, "TIFF", compression="tiff_lzw"),
        "jpeg-in-tiff": encoded(photo, "TIFF", compression="jpeg"),
        "big-tiff": encoded(photo, "TIFF", big_tiff=True),
        "turned-tiff": encoded(stored(photo, 6), "TIFF", tiffinfo={0x0112: 6}),
        "tiff-of-two-pages": encoded(photo, "TIFF", save_all=True, append_images=[photo.rotate(90)]),
    }


def _odd_others() -> dict[str, bytes]:
    photo = picture()
    alpha = photo.copy()
    alpha.putalpha(photo.getchannel("R"))
    others = [photo.rotate(90), photo.rotate(180)]
    return {
        "animated-gif": encoded(photo, "GIF", save_all=True, append_images=others),
        "transparent-gif": encoded(alpha, "GIF"),
        "webp-with-alpha": encoded(alpha, "WEBP"),
        "lossless-webp": encoded(photo, "WEBP", lossless=True),
        "animated-webp": encoded(photo, "WEBP", save_all=True, append_images=others),
        "palette-bmp": encoded(photo.quantize(16), "BMP"),
        "avif": encoded(photo, "AVIF"),
        "one-pixel": encoded(picture(1, 1), "PNG"),
        "one-line": encoded(picture(500, 1), "JPEG"),
    }
