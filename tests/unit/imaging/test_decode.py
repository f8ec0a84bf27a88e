"""Files to pixels: what is refused and why, and what comes out of everything else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from fakes.bad_images import HEIGHT, MAX_PIXELS, WIDTH, bad_images, cut, encoded, odd_images, picture
from tuku.errors import RowError
from tuku.imaging import Decoded, decode
from tuku.imaging.sizes import MAX_SIDE_PX
from tuku.protocols import PictureSize

# Pytest undoes the filter that `tuku.imaging` sets.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")

BAD, ODD = bad_images(), odd_images()
PROGRAM = """
import json, resource, sys
from pathlib import Path
from tuku.errors import RowError
from tuku.imaging import decode

if sys.argv[2]:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]),) * 2)
codes = {}
for path in Path(sys.argv[1]).iterdir():
    try:
        decode(path.read_bytes(), max_pixels=10**6, sizes=[])
    except RowError as error:
        codes[path.name] = error.code
print(json.dumps(codes))
"""

LOST = {"truncated", "not_an_image", "unsupported_format", "empty"}  # of the smallest not even the magic is left


def whole(content: bytes) -> Decoded:
    return decode(content, max_pixels=MAX_PIXELS, sizes=[])


def reduced(content: bytes, *sizes: PictureSize) -> Decoded:
    return decode(content, max_pixels=10 * MAX_PIXELS, sizes=sizes)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_fails_with_its_own_code(name: str) -> None:
    content, code = BAD[name]
    with pytest.raises(RowError) as refused:
        whole(content)
    assert refused.value.code == code
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_decoded(name: str) -> None:
    decoded = whole(ODD[name])
    if not name.startswith("one-"):
        assert (decoded.width, decoded.height) == (WIDTH, HEIGHT)
    assert decoded.pixels.shape == (decoded.height, decoded.width, 3)
    assert decoded.pixels.dtype == np.uint8


@pytest.mark.parametrize("name", ODD)
def test_a_cut_file_is_refused_or_loses_nothing(name: str) -> None:
    content = ODD[name]
    pixels = whole(content).pixels
    for percent in range(2, 100, 7):
        code, again = code_or_pixels(cut(content, percent))
        # An animation may have been cut behind its first frame.
        assert code in LOST or np.array_equal(again, pixels)


def code_or_pixels(content: bytes) -> tuple[str | None, np.ndarray]:
    try:
        return None, whole(content).pixels
    except RowError as error:
        return error.code, np.zeros(0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_exif_says(orientation: int) -> None:
    decoded = whole(ODD[f"jpeg-turned-{orientation}"])
    upright = np.asarray(picture()).astype(int)
    assert np.abs(decoded.pixels - upright).mean() < 20  # JPEG noise; any other turn is 50 and more away


def test_sides_are_measured_on_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(picture(600, 400), "JPEG", exif=exif)
    decoded = reduced(content, PictureSize(short_side_px=100))
    assert (decoded.width, decoded.height) == (400, 600)
    assert decoded.pixels.shape == (150, 100, 3)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("side_px", [(1023, 767), (300, 256), (257, 1900), (256, 256)])
def test_the_short_side_is_exactly_as_wanted(image_format: str, side_px: tuple[int, int]) -> None:
    decoded = reduced(encoded(picture(*side_px), image_format), PictureSize(short_side_px=256))
    assert min(decoded.pixels.shape[:2]) == 256
    assert (decoded.width, decoded.height) == side_px


def test_nothing_is_enlarged() -> None:
    assert reduced(encoded(picture(), "JPEG"), PictureSize(short_side_px=500)).pixels.shape == (HEIGHT, WIDTH, 3)


def test_a_thin_picture_keeps_at_least_one_pixel() -> None:
    assert reduced(encoded(picture(3000, 2), "PNG"), PictureSize(long_side_px=100)).pixels.shape == (1, 100, 3)


def test_several_models_get_the_largest_of_their_sizes() -> None:
    content = encoded(picture(800, 600), "JPEG")
    decoded = reduced(content, PictureSize(short_side_px=150), PictureSize(long_side_px=400))
    assert decoded.pixels.shape == (300, 400, 3)


@pytest.mark.parametrize(
    ("image_format", "side_px", "shape"),
    [
        ("JPEG", (700, 500), (250, 350)),  # as libjpeg gives it, at 1/2
        ("JPEG", (350, 260), (260, 350)),
        ("PNG", (350, 260), (260, 350)),
        ("PNG", (800, 600), (150, 200)),
    ],
)
def test_a_model_that_resizes_by_itself_gets_up_to_twice_as_much(
    image_format: str, side_px: tuple[int, int], shape: tuple[int, int]
) -> None:
    content, size = encoded(picture(*side_px), image_format), PictureSize(short_side_px=150, exact=False)
    assert reduced(content, size).pixels.shape[:2] == shape
    assert min(reduced(content, size, PictureSize(short_side_px=100)).pixels.shape[:2]) == 150


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_decoding_at_reduced_scale_shows_the_same_picture(options: dict[str, object]) -> None:
    smooth = picture(40, 30).resize((1600, 1200), Image.Resampling.BICUBIC)
    content = encoded(smooth, "JPEG", quality=95, **options)
    small = reduced(content, PictureSize(short_side_px=170)).pixels.astype(int)
    expected = np.asarray(Image.fromarray(whole_of(content)).resize((227, 170), Image.Resampling.BICUBIC))
    assert np.abs(small - expected).mean() < 1.5


def whole_of(content: bytes) -> np.ndarray:
    return reduced(content).pixels


def test_a_memoryview_does_as_well_as_bytes() -> None:
    content = encoded(picture(), "PNG")
    assert np.array_equal(whole(memoryview(content)).pixels, whole(content).pixels)


def test_limits_are_inclusive() -> None:
    content = encoded(picture(), "PNG")
    assert decode(content, max_pixels=WIDTH * HEIGHT, sizes=[]).width == WIDTH
    with pytest.raises(RowError, match="9599"):
        decode(content, max_pixels=WIDTH * HEIGHT - 1, sizes=[])
    with pytest.raises(RowError, match=str(MAX_SIDE_PX)):
        whole(encoded(Image.new("1", (MAX_SIDE_PX + 1, 1)), "PNG"))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}])
def test_a_picture_that_really_ends_in_grey_is_whole(mode: str, options: dict[str, object]) -> None:
    grey = Image.new("RGB", (333, 257), (128, 128, 128))
    grey.paste(picture(), (0, 0))
    content = encoded(grey.convert(mode), "JPEG", **options)
    assert tuple(reduced(content, PictureSize(short_side_px=60)).pixels[-1, -1]) == (128, 128, 128)


def test_pillow_is_set_to_judge_nothing_and_to_forgive_nothing() -> None:
    assert Image.MAX_IMAGE_PIXELS is None
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_lack_of_memory_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: ImageFile.ImageFile) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", full)
    with pytest.raises(RowError) as refused:
        whole(encoded(picture(), "PNG"))
    assert (refused.value.code, refused.value.retryable) == ("out_of_memory", True)


def test_pillows_own_words_stay_off_the_screen(tmp_path: Path) -> None:
    files = {name: content for name, (content, _) in BAD.items() if "tiff" not in name} | ODD
    files["crazy-tag"] = BAD["tiff-with-a-crazy-tag"][0]  # libtiff's words are beyond our reach, Pillow's are not
    done = decode_elsewhere(tmp_path, files)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_bad_file_takes_much_memory(tmp_path: Path) -> None:
    files = {name: content for name, (content, _) in BAD.items()}
    done = decode_elsewhere(tmp_path, files, spare_bytes=200_000_000)
    assert json.loads(done.stdout) == {name: code for name, (_, code) in BAD.items()}


def decode_elsewhere(
    folder: Path, files: Mapping[str, bytes], spare_bytes: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Decode files in a process of its own, which may be short of memory; it prints their codes."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(folder), str(spare_bytes or "")]
    return subprocess.run(command, capture_output=True, text=True, check=False)
