"""Words of the overview."""

from __future__ import annotations

ENGLISH: dict[str, str] = {
    "overview.nav": "Overview",
    "overview.title": "Overview",
    "overview.attention": "Needs attention",
    "overview.quiet": "Nothing needs attention.",
    "overview.quiet_text": "This is what you may see of it; others may see more.",
    "overview.stand": "How things stand",
    "overview.served.one": "version served here",
    "overview.served.other": "versions served here",
    "overview.allowed.one": "request allowed in 24 hours",
    "overview.allowed.other": "requests allowed in 24 hours",
    "overview.refused.one": "request refused in 24 hours",
    "overview.refused.other": "requests refused in 24 hours",
    "overview.signed_in.one": "person signed in",
    "overview.signed_in.other": "people signed in",
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
    "overview.stand": "当前状况",
    "overview.served.one": "个版本正在提供服务",
    "overview.served.other": "个版本正在提供服务",
    "overview.allowed.one": "次允许（最近 24 小时）",
    "overview.allowed.other": "次允许（最近 24 小时）",
    "overview.refused.one": "次拒绝（最近 24 小时）",
    "overview.refused.other": "次拒绝（最近 24 小时）",
    "overview.signed_in.one": "人已登录",
    "overview.signed_in.other": "人已登录",
    "overview.weight.bad": "异常",
    "overview.weight.warn": "临近",
    "overview.weight.note": "提示",
}
