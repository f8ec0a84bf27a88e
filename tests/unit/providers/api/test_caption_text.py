from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes.dashscope import captions
from fakes.dashscope.minds import Words
from tuku.protocols import Caption
from tuku.providers.api.caption_text import parse_caption
from tuku.providers.api.caption_words import MAX_KEYWORD_CHARACTERS, MAX_KEYWORDS

DOG = Caption("一只狗坐在草地上。", ("狗", "草地", "户外"))
ENGLISH = Caption("A brown dog sits on the grass.", ("brown dog", "grass", "summer"))


@pytest.mark.parametrize(
    "answer",
    [
        "描述：一只狗坐在草地上。\n关键词：狗、草地、户外",
        "描述:一只狗坐在草地上。 关键词: 狗, 草地, 户外。",
        "**描述**：一只狗坐在草地上。\n\n**关键词**：狗，草地，户外",
        "**描述：** 一只狗坐在草地上。\n**关键词：** 狗/草地/户外",
        "### 图片描述\n一只狗坐在草地上。\n\n### 关键词\n- 狗\n- 草地\n- 户外",
        "1. 描述：一只狗坐在草地上。\n2. 关键词：狗；草地；户外",
        "一、一只狗坐在草地上。\n二、狗、草地、户外",
        "图片描述：“一只狗坐在草地上。”\n5个关键词：狗 草地 户外",
        "描述：一只狗坐在草地上。\n关键词（3个）：\n1、狗\n2、草地\n3、户外",
        "【描述】一只狗坐在草地上。【关键词】狗、草地、户外",
        "一只狗坐在草地上。\n关键词：「狗」、「草地」、「户外」",
        "一只狗坐在草地上。关键词：狗、草地、狗、户外、草地",
        "一只狗坐在草地上。\n狗、草地、户外",
        "一只狗坐在草地上。\n#狗 #草地 #户外",
        "一只狗坐在草地上。狗、草地、户外",
        "关键词：狗、草地、户外\n描述：一只狗坐在草地上。",
        "好的，下面是结果：\n描述：一只狗坐在草地上。\n关键词：狗、草地、户外",
        "<think>描述：不对</think>\n描述：一只狗坐在草地上。\n关键词：狗、草地、户外",
        '{"description": "一只狗坐在草地上。", "keywords": ["狗", "草地", "户外"]}',
        '{"描述": "一只狗坐在草地上。", "关键词": "狗、草地、户外"}',
        '```json\n{"description": "一只狗坐在草地上。", "keywords": ["狗", "草地", "户外"]}\n```',
        '```json\n{\n  "caption": "一只狗坐在草地上。",\n  "tags": ["狗", "草地", "户外",],\n}\n```',
        '{"description": "一只狗坐在草地上。", "keywords": ["狗", "草地", "户外", ',
        '{"description": "一只狗坐在草地上。", "keywords": ["狗", "草地", "户外", "夏',
        "{'description': '一只狗坐在草地上。', 'keywords': ['狗', '草地', '户外']}",
        '结果如下：{"description": "一只狗坐在草地上。", "keywords": ["狗", "草地", "户外"]} 希望有帮助',
        '{"result": {"description": "一只狗坐在草地上。", "keywords": ["狗", "草地", "户外"]}}',
    ],
)
def test_chinese_answers_in_every_form(answer: str) -> None:
    assert parse_caption(answer) == DOG


@pytest.mark.parametrize(
    "answer",
    [
        "Description: A brown dog sits on the grass.\nKeywords: brown dog, grass, summer",
        "**Caption:** A brown dog sits on the grass.\n**Tags:** `brown dog`, `grass`, `summer`",
        "A brown dog sits on the grass. Keywords: brown dog, grass, and summer.",
        "A brown dog sits on the grass.\n\nKeywords:\n* brown dog\n* grass\n* Brown Dog\n* summer",
        "Here is the caption:\nA brown dog sits on the grass.\nHere are\nKeywords: brown dog; grass; summer",
        "Image description: A brown dog sits on the grass.\n3 keywords: brown dog | grass | summer",
        '{"Description": "A brown dog sits on the grass.", "Keywords": "brown dog, grass, summer"}',
    ],
)
def test_english_answers_in_every_form(answer: str) -> None:
    assert parse_caption(answer.replace("Here are\n", "")) == ENGLISH


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("一只狗坐在草地上", "一只狗坐在草地上"),
        ("“一只狗，坐在草地上”", "一只狗，坐在草地上"),
        ("A dog. It sits on the grass, near a tree, under a blue sky.", None),
        ("一张3.5寸软盘", "一张3.5寸软盘"),
        ("图中有一个标签：上面写着价格，旁边是苹果。", "图中有一个标签：上面写着价格，旁边是苹果。"),
        ("一只狗\n很可爱", "一只狗 很可爱"),
        ("The picture shows a dog.\nIt runs around happily in a large park.", None),
    ],
)
def test_a_description_alone_has_no_keywords(answer: str, text: str | None) -> None:
    assert parse_caption(answer) == Caption(text or " ".join(answer.split()))


@pytest.mark.parametrize(
    "answer", ["", "  \n", "关键词：狗、草地", '{"description": "", "keywords": ["狗"]}', "``` ```", "。"]
)
def test_there_is_no_caption_without_a_description(answer: str) -> None:
    outcome = parse_caption(answer)
    assert outcome is None or outcome.text == "。"


@pytest.mark.parametrize("form", captions.FORMS)
@pytest.mark.parametrize("keywords", [("红色", "图片"), ("红色", "纯色", "背景", "简洁", "明亮")])
def test_the_local_dashscope_is_understood_in_all_its_forms(form: str, keywords: tuple[str, ...]) -> None:
    written = captions.written(Words("这是一张红色的图片。", keywords), form)
    assert parse_caption(written) == Caption("这是一张红色的图片。", keywords)


def test_quotes_inside_broken_json_stay() -> None:
    answer = '{"description": "一块写着"停"的牌子", "keywords": ["牌子", "停"]}'
    assert parse_caption(answer) == Caption('一块写着"停"的牌子', ("牌子", "停"))


def test_nothing_that_a_file_cannot_hold_is_kept() -> None:
    outcome = parse_caption('{"description": "a \\ud83d dog\\u0000", "keywords": ["\\udc00dog", 7, null]}')
    assert outcome == Caption("a dog", ("dog", "7"))


def test_keywords_have_bounds() -> None:
    many = "、".join(f"词{number}" for number in range(100))
    outcome = parse_caption(f"描述：一只狗\n关键词：{many}、{'长' * 100}")
    assert outcome is not None
    assert len(outcome.keywords) == MAX_KEYWORDS
    assert parse_caption(f"描述：一只狗\n关键词：{'长' * 100}、狗") == Caption("一只狗", ("狗",))


WORDS = st.text(st.sampled_from("狗猫草树山水人红绿蓝天车船鱼鸟花"), min_size=2, max_size=6)
CAPTIONS = st.builds(
    Caption,
    st.lists(WORDS, min_size=2, max_size=5).map("，".join),
    st.lists(WORDS, min_size=3, max_size=6, unique=True).map(tuple),
)
FORMS = (
    "描述：{text}\n关键词：{listed}",
    "**描述**：{text}。\n**关键词**：{listed}",
    "{text}。关键词：{listed}",
    "{text}。\n{listed}",
    "1. {text}\n2. {listed}",
)


@settings(deadline=None)
@given(CAPTIONS, st.sampled_from(FORMS), st.sampled_from("、，,;；/"))
def test_a_caption_comes_back_from_every_form(caption: Caption, form: str, separator: str) -> None:
    outcome = parse_caption(form.format(text=caption.text, listed=separator.join(caption.keywords)))
    assert outcome is not None
    assert (outcome.text.rstrip("。"), outcome.keywords) == (caption.text, caption.keywords)


@settings(deadline=None)
@given(CAPTIONS, st.sampled_from(["", "```json\n", "好的：\n"]), st.booleans())
def test_a_caption_comes_back_from_json(caption: Caption, before: str, spread: bool) -> None:
    entries = {"description": caption.text, "keywords": list(caption.keywords)}
    answer = before + json.dumps(entries, ensure_ascii=spread, indent=2 if spread else None)
    assert parse_caption(answer) == caption


@settings(deadline=None)
@given(CAPTIONS, st.data())
def test_json_that_ends_early_loses_no_whole_keyword(caption: Caption, data: st.DataObject) -> None:
    text = json.dumps({"description": caption.text, "keywords": list(caption.keywords)}, ensure_ascii=False)
    cut = data.draw(st.integers(text.index("keywords"), len(text)))
    outcome = parse_caption(text[:cut])
    assert outcome is not None
    assert outcome.text == caption.text
    assert outcome.keywords == caption.keywords[: len(outcome.keywords)]
    assert len(outcome.keywords) >= text[: cut + 1].count('",') - 1


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8") | st.sampled_from('{}[]":,、：\n`*#-.0描述关键词'), max_size=200))
@example("{" * 5_000)
@example("[" * 200 + '{"description": ' + "[" * 19_000)
@example("'''{" + "(" * 300 + "}")
def test_no_answer_breaks_it(answer: str) -> None:
    outcome = parse_caption(answer)
    if outcome is not None:
        assert outcome.text
        assert outcome.text == outcome.text.strip()
        assert "\n" not in outcome.text
        assert len({keyword.casefold() for keyword in outcome.keywords}) == len(outcome.keywords) <= MAX_KEYWORDS
        assert all(0 < len(keyword) <= MAX_KEYWORD_CHARACTERS for keyword in outcome.keywords)
        "".join([outcome.text, *outcome.keywords]).encode()
