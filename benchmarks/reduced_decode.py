"""What reading JPEGs at reduced scale, as tuku does, changes in vectors.

    python benchmarks/reduced_decode.py [--count 300]

Pictures of 0.8 megapixels on average, which a model sees in three ways: whole, so that only its own preprocessing
resizes them, as with transformers; resized by tuku from the whole; and by tuku from what libjpeg decodes at 1/2 to 1/8.
Printed: how close vectors are to those of the first way, how close two pictures are to each other, and how often the
nearest of all vectors of the first way is the picture's own. The weights of the Chinese-CLIP are by chance; those of
EfficientNet-Lite0, which is bundled, are trained.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
from pictures import make_catalogue
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

BENCH = Path(".bench")
VISION = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 4}
VISION |= {"patch_size": 16, "image_size": 224}


def whole(content: bytes, _size: object) -> np.ndarray:
    """All of its pixels."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def resized(content: bytes, size: object) -> np.ndarray:
    """As tuku resizes it, but from all of its pixels."""
    from tuku.imaging.convert import to_rgb
    from tuku.imaging.sizes import reduced_size

    image = Image.open(io.BytesIO(content))
    image.load()
    return to_rgb(image, reduced_size(*image.size, [size]), 1)


def reduced(content: bytes, size: object) -> np.ndarray:
    """As tuku reads it."""
    from tuku.imaging import decode

    return decode(content, max_pixels=10**8, sizes=[size]).pixels


def embedders() -> dict[str, object]:
    """Each model by what it is called in the output."""
    from fakes import tiny_models
    from tuku.config import EmbedConfig
    from tuku.providers.registry import create_embedder

    folder = BENCH / "chinese-clip-reduced"
    if not (folder / "preprocessor_config.json").exists():
        tiny_models.chinese_clip(folder, vision=VISION, dim=512)
    return {
        "Chinese-CLIP, weights by chance": create_embedder(EmbedConfig(provider="hf", model=str(folder), device="cpu")),
        "EfficientNet-Lite0, trained": create_embedder(EmbedConfig()),
    }


def vectors(embedder: object, paths: list[Path], read: object) -> np.ndarray:
    """Of pictures read in one way: float32 (n, dim), L2-normalised."""
    from tuku.protocols import Picture

    size = embedder.description.picture_size
    found = [
        embedder.embed_pictures([Picture(read(path.read_bytes(), size), f"{read.__name__} {path}")])[0]
        for path in paths
    ]
    return np.stack(found)


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=300)
    given = options.parse_args()
    folder = make_catalogue(BENCH / "pictures", given.count).parent
    paths = sorted(folder.glob("*.jpg"))[: given.count]
    for name, embedder in embedders().items():
        first = vectors(embedder, paths, whole)
        others = (first @ first.T)[~np.eye(len(first), dtype=bool)]
        print(f"{name}: two different pictures, cosine {others.mean():.4f} on average, at most {others.max():.4f}")
        for way in (resized, reduced):
            found = vectors(embedder, paths, way)
            cosines = (first * found).sum(axis=1)
            own = np.mean((found @ first.T).argmax(axis=1) == np.arange(len(found)))
            print(
                f"  {way.__name__:8} cosine {cosines.mean():.5f} on average, {cosines.min():.5f} at least;"
                f" nearest is its own: {own:.1%}"
            )


if __name__ == "__main__":
    main()
