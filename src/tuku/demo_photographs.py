"""Which photographs the demo's catalogue shows, and which parts of them it shows again as pictures of their own."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge, as fractions of the picture's width and height."""


@dataclass(frozen=True)
class Part:
    """A piece of a photograph that is a picture of its own."""

    name: str
    title: str
    title_zh: str
    box: Box


@dataclass(frozen=True)
class Photograph:
    """A photograph that a Python package carries.

    Attributes:
        name: its file's name without the ending; the ids are made of it.
        package: import name of the package that carries it.
        path: its file in there; the ending decides the format of the copies.
        price: of a print, in some currency; parts of it cost half.
    """

    name: str
    package: str
    path: str
    title: str
    title_zh: str
    category: str
    price: float
    parts: tuple[Part, ...] = ()


def _skimage(name: str, file: str, title: str, title_zh: str, category: str, price: float, *parts: Part) -> Photograph:
    return Photograph(name, "skimage", f"data/{file}", title, title_zh, category, price, parts)


def _sklearn(name: str, file: str, title: str, title_zh: str, category: str, price: float, *parts: Part) -> Photograph:
    return Photograph(name, "sklearn", f"datasets/images/{file}", title, title_zh, category, price, parts)


PHOTOGRAPHS = (
    _skimage(
        "猫", "chelsea.png", "Chelsea the cat", "一只虎斑猫", "animals", 39.0,
        Part("face", "The face of a cat", "猫的脸", (0.22, 0.0, 0.88, 1.0)),
        Part("eyes", "The eyes of a cat", "猫的眼睛", (0.25, 0.15, 0.88, 0.6)),
    ),
    _skimage(
        "coffee", "coffee.png", "A cup of espresso on a wooden table", "木桌上的一杯浓缩咖啡", "food", 29.5,
        Part("cup", "A coffee cup from above", "俯视的咖啡杯", (0.25, 0.0, 0.72, 0.85)),
        Part("spoon", "A spoon on a red saucer", "红色碟子上的勺子", (0.5, 0.48, 0.82, 0.88)),
        Part("espresso", "Espresso in a white cup", "白杯里的浓缩咖啡", (0.27, 0.02, 0.68, 0.52)),
    ),
    _skimage(
        "astronaut", "astronaut.png", "An astronaut in an orange suit", "穿橙色航天服的宇航员", "space", 59.0,
        Part("portrait", "Portrait of a smiling astronaut", "微笑的宇航员肖像", (0.2, 0.0, 0.68, 0.5)),
        Part("shuttle", "A model of a space shuttle", "航天飞机模型", (0.64, 0.0, 1.0, 0.58)),
        Part("helmet", "The helmet of a space suit", "航天头盔", (0.5, 0.62, 1.0, 1.0)),
    ),
    _skimage(
        "rocket", "rocket.jpg", "A rocket on its launch pad at dusk", "黄昏发射台上的火箭", "space", 49.0,
        Part("close", "A rocket among lightning towers", "避雷塔之间的火箭", (0.36, 0.22, 0.64, 1.0)),
        Part("tower", "A lattice tower against the evening sky", "夜空下的铁塔", (0.0, 0.0, 0.22, 1.0)),
    ),
    _skimage(
        "hubble", "hubble_deep_field.jpg", "Galaxies in the Hubble extreme deep field", "哈勃极深场的星系",
        "space", 79.0,
        Part("north", "Galaxies, upper part of the deep field", "深空上半部的星系", (0.05, 0.0, 0.6, 0.5)),
        Part("south", "Galaxies, lower part of the deep field", "深空下半部的星系", (0.35, 0.5, 0.95, 1.0)),
    ),
    _skimage(
        "moon", "moon.png", "The surface of the moon", "月球表面", "space", 45.0,
        Part("crater", "A crater of the moon", "月球上的环形山", (0.1, 0.02, 0.42, 0.34)),
        Part("hills", "Hills and small craters of the moon", "月球上的丘陵", (0.3, 0.55, 0.8, 1.0)),
    ),
    _skimage(
        "motorcycle", "motorcycle_left.png", "A red motorcycle in a garage", "车库里的红色摩托车", "vehicles", 54.0,
        Part("engine", "The engine of a motorcycle", "摩托车发动机", (0.38, 0.4, 0.68, 0.82)),
        Part("front", "The front wheel of a motorcycle", "摩托车前轮", (0.64, 0.12, 0.96, 0.95)),
        Part("rear", "The rear wheel and exhaust of a motorcycle", "摩托车后轮和排气管", (0.12, 0.36, 0.5, 0.86)),
        Part("shelf", "Boxes on the shelves of a garage", "车库货架上的箱子", (0.46, 0.0, 1.0, 0.42)),
    ),
    _skimage(
        "motorcycle-right", "motorcycle_right.png", "A red motorcycle, seen a little more from the right",
        "稍偏右拍摄的红色摩托车", "vehicles", 54.0,
        Part("tank", "Tank and saddle of a motorcycle", "摩托车油箱和座垫", (0.14, 0.24, 0.68, 0.56)),
    ),
    _sklearn(
        "pagoda", "china.jpg", "A pagoda of the Summer Palace in Beijing", "北京颐和园佛香阁", "buildings", 64.0,
        Part("roof", "The roofs of a Chinese tower", "中式塔楼的屋檐", (0.08, 0.03, 0.58, 0.6)),
        Part("lake", "A lake behind trees", "树后的湖", (0.5, 0.3, 1.0, 1.0)),
        Part("gallery", "Red columns of a Chinese tower", "中式塔楼的红柱", (0.12, 0.5, 0.58, 1.0)),
    ),
    _sklearn(
        "flower", "flower.jpg", "An orange dahlia", "一朵橙色大丽花", "plants", 34.0,
        Part("blossom", "The blossom of a dahlia", "大丽花的花朵", (0.22, 0.04, 0.72, 0.86)),
        Part("petals", "Petals of a dahlia", "大丽花的花瓣", (0.33, 0.22, 0.62, 0.66)),
    ),
    _skimage(
        "grass", "grass.png", "Grass and leaves", "草地", "plants", 12.0,
        Part("corner", "Blades of grass", "草叶", (0.5, 0.5, 1.0, 1.0)),
        Part("middle", "Leaves in the grass", "草丛中的叶子", (0.05, 0.1, 0.5, 0.55)),
    ),
    _skimage(
        "gravel", "gravel.png", "Gravel", "碎石", "materials", 12.0,
        Part("corner", "Small grey stones", "灰色小石子", (0.0, 0.5, 0.5, 1.0)),
        Part("middle", "Crushed stone", "石砾", (0.45, 0.05, 0.95, 0.5)),
    ),
    _skimage(
        "brick", "brick.png", "A pavement of bricks", "砖铺路面", "materials", 12.0,
        Part("corner", "Rows of bricks", "成排的砖", (0.0, 0.0, 0.5, 0.5)),
        Part("joints", "Joints between bricks", "砖缝", (0.5, 0.55, 1.0, 1.0)),
    ),
    _skimage(
        "camera", "camera.png", "A man with a camera on a tripod", "用三脚架拍摄的男子", "people", 42.0,
        Part("portrait", "A cameraman looking through the viewfinder", "正在取景的摄影师", (0.2, 0.08, 0.72, 0.6)),
        Part("tripod", "A tripod on a lawn", "草坪上的三脚架", (0.4, 0.36, 0.85, 1.0)),
    ),
    _skimage(
        "coins", "coins.png", "Greek coins from Pompeii", "庞贝出土的希腊硬币", "objects", 69.0,
        Part("upper", "A row of ancient coins", "一排古币", (0.0, 0.02, 1.0, 0.28)),
        Part("lower", "Worn ancient coins", "磨损的古币", (0.0, 0.72, 1.0, 1.0)),
        Part("single", "An ancient coin with a standing figure", "带立像的古币", (0.78, 0.0, 1.0, 0.27)),
    ),
    _skimage("clock", "clock_motion.png", "A wall clock, blurred by motion", "运动模糊的挂钟", "objects", 9.5),
    _skimage(
        "page", "page.png", "A printed page of a textbook", "教科书的一页", "documents", 8.0,
        Part("heading", "The heading of a printed page", "书页标题", (0.0, 0.0, 1.0, 0.22)),
    ),
    _skimage("text", "text.png", "Handwriting on squared paper", "方格纸上的字迹", "documents", 8.0),
    _skimage(
        "retina", "retina.jpg", "The retina of a human eye", "人眼视网膜", "medicine", 25.0,
        Part("disc", "The optic disc of a retina", "视盘", (0.04, 0.35, 0.36, 0.7)),
        Part("macula", "The macula of a retina", "黄斑", (0.38, 0.36, 0.7, 0.68)),
    ),
    _skimage(
        "tissue", "ihc.png", "Stained tissue under a microscope", "显微镜下的染色组织", "medicine", 25.0,
        Part("gland", "A stained gland under a microscope", "显微镜下的腺体", (0.45, 0.55, 0.95, 1.0)),
    ),
)  # fmt: skip
