"""Words of the overview."""

from __future__ import annotations

ENGLISH: dict[str, str] = {
    "overview.nav": "Overview",
    "overview.title": "Overview",
    "overview.attention": "Needs attention",
    "overview.quiet": "Nothing needs attention.",
    "overview.quiet_text": "This is what you may see of it; others may see more.",
    "overview.weight.bad": "Wrong",
    "overview.weight.warn": "Soon",
    "overview.weight.note": "Note",
}

CHINESE: dict[str, str] = {
    "overview.nav": "总览",
    "overview.title": "总览",
    "overview.attention": "需要处理",
    "overview.quiet": "目前没有需要处理的事项。",
    "overview.quiet_text": "以上仅限您有权查看的内容，其他人可能看到更多。",
    "overview.weight.bad": "异常",
    "overview.weight.warn": "临近",
    "overview.weight.note": "提示",
}
