// The page's words in its two languages.

const WORDS = {
  en: {
    home: "Start again", placeholder: "What are you looking for?", picture: "Search with a picture", search: "Search",
    mode: "Where to search", pictures: "Pictures", captions: "Captions", both: "Both", rerank: "Rerank",
    filters: "Filters", expert: "Filter in words", clear: "Clear filters", results: "Results", more: "Show more",
    drop: "Drop the picture to search with it", like: "More like this", similar: "like this picture",
    keys: "/ search · arrows move · Enter opens · Esc closes",
    count: (n, more) => `${n}${more ? "+" : ""} ${n === 1 && !more ? "result" : "results"}`, took: (ms) => `${ms} ms`,
    some: "From the catalogue", some_rules: "groups, scores and boosts need a search", searching: "Searching …", reranked: "reranked",
    none: "Nothing found.", none_hint: "Try other words, another picture, or fewer filters.",
    remove_picture: "Take the picture away", remove_like: "Take it away", not_shared: "A link to this search leaves the picture out.",
    close: "Close", previous: "Previous", next: "Next", score: "Score", scores: "Scores", image_embedding: "picture", text_embedding: "caption",
    why: "Why", keywords: "Keywords", file: "File", id: "Id", no_caption: "No caption", unsorted: "–",
    least: "from", most: "to", any: "any", yes: "yes", no: "no", others: "Show all", only: (word) => `Only images with the keyword ${word}`,
    group_by: "One result for each", every: "image", min_score: "Score at least", boosts: "Lift what meets a condition",
    boost_more: "+ Add a condition", boost_less: "Take the condition away", boost_where: "Condition", boost_factor: "Its scores times",
    too_large: (mb) => `The picture has more than ${mb} MB.`, no_picture: "This file is no picture.",
    unreachable: "The server does not answer.", unreachable_hint: "Check the network, and whether tuku serve is running.",
    retry: "Try again", open: (caption) => `Details: ${caption}`, gallery: "Catalogue",
  },
  zh: {
    home: "重新开始", placeholder: "想找什么图片？", picture: "用图片搜索", search: "搜索",
    mode: "搜索范围", pictures: "图像", captions: "描述", both: "两者", rerank: "重排",
    filters: "筛选", expert: "筛选表达式", clear: "清除筛选", results: "结果", more: "显示更多",
    drop: "松开即可用这张图片搜索", like: "相似图片", similar: "与此图相似",
    keys: "/ 搜索 · 方向键移动 · 回车打开 · Esc 关闭",
    count: (n, more) => `${n}${more ? "+" : ""} 条结果`, took: (ms) => `${ms} 毫秒`,
    some: "图库一览", some_rules: "分组、得分与提升只对搜索结果生效", searching: "搜索中……", reranked: "已重排",
    none: "没有找到。", none_hint: "换个说法、换张图片，或减少筛选条件。",
    remove_picture: "移除图片", remove_like: "移除", not_shared: "分享链接不包含所上传的图片。",
    close: "关闭", previous: "上一张", next: "下一张", score: "得分", scores: "得分", image_embedding: "图像", text_embedding: "描述",
    why: "理由", keywords: "关键词", file: "文件", id: "编号", no_caption: "无描述", unsorted: "–",
    least: "最小", most: "最大", any: "不限", yes: "是", no: "否", others: "全部显示", only: (word) => `只看关键词为“${word}”的图片`,
    group_by: "每组只显示一张", every: "不分组", min_score: "最低得分", boosts: "满足条件者提升",
    boost_more: "+ 添加条件", boost_less: "移除条件", boost_where: "条件", boost_factor: "得分倍数",
    too_large: (mb) => `图片超过 ${mb} MB。`, no_picture: "这个文件不是图片。",
    unreachable: "服务器没有响应。", unreachable_hint: "请检查网络以及 tuku serve 是否在运行。",
    retry: "重试", open: (caption) => `详情：${caption}`, gallery: "图库",
  },
};

// What went wrong, by its code, where the server's own sentence is in another language.
const PROBLEMS = {
  zh: {
    bad_filter: "看不懂这个筛选表达式。", bad_query: "无法按此条件搜索。", invalid: "请求无效。", hidden_field: "不能按此字段筛选。",
    busy: "当前搜索人数过多，请稍后再试。", timeout: "未能及时得到结果，请稍后再试。", too_slow: "上传太慢，请重试或换一张较小的图片。",
    model_away: "模型服务暂时不可用，请稍后再试。", collection_away: "图库暂时没有响应，请稍后再试。", out_of_service: "图库暂时无法搜索。",
    too_large: "图片太大。", too_many_pixels: "图片像素过多。", not_an_image: "这个文件不是图片。", truncated: "图片不完整。",
    content_refused: "模型拒绝了这次搜索的内容，请换个说法或换一张图片。", no_image: "找不到这张图片。", unexpected: "服务器出错了。",
  },
};

const KEY = "tuku.language";
let language = remembered() ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

export function t(key, ...values) {
  const word = WORDS[language][key] ?? key;
  return typeof word === "function" ? word(...values) : word;
}

export const problem = (code) => PROBLEMS[language]?.[code] ?? null;

export function otherLanguage() {
  return language === "en" ? "中文" : "English";
}

export function switchLanguage() {
  language = language === "en" ? "zh" : "en";
  try { localStorage.setItem(KEY, language); } catch { /* a browser that keeps nothing */ }
}

// Fills in what the page itself has: data-text, data-title (a tip and a name), data-label, data-placeholder.
export function translate(root) {
  document.documentElement.lang = language;
  for (const each of root.querySelectorAll("[data-text]")) each.textContent = t(each.dataset.text);
  for (const each of root.querySelectorAll("[data-title]")) {
    each.title = t(each.dataset.title);
    each.setAttribute("aria-label", each.title);
  }
  for (const each of root.querySelectorAll("[data-label]")) each.setAttribute("aria-label", t(each.dataset.label));
  for (const each of root.querySelectorAll("[data-placeholder]")) each.placeholder = t(each.dataset.placeholder);
}

function remembered() {
  try {
    const kept = localStorage.getItem(KEY);
    return kept in WORDS ? kept : null;
  } catch {
    return null;
  }
}
