"""How numbers, moments and codes read on a page (ui.md, Words)."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from outreach.clock import in_beijing
from outreach.labels.keys import TOPICS

WEEKDAYS = "一二三四五六日"
CHANNELS = {
    "sms": "短信",
    "rcs": "5G 消息",
    "wechat": "微信",
    "email": "邮件",
    "wecom": "企业微信",
    "dingtalk": "钉钉",
    "call": "电话",
    "visit": "上门",
}
REFUSABLE = {"all": "所有渠道", **CHANNELS, **TOPICS}
"""What a person can refuse: channels and topics of publicity."""
CAMPAIGN_STATES = {
    "draft": "草稿",
    "in_review": "待审批",
    "approved": "已审批",
    "running": "进行中",
    "paused": "已暂停",
    "finished": "已结束",
    "cancelled": "已取消",
}
ROUND_STATES = {
    "scheduled": "未开始",
    "planning": "正在编排",
    "running": "发送中",
    "paused": "已暂停",
    "finished": "已结束",
    "cancelled": "已取消",
}
TONES = {
    "draft": "quiet",
    "in_review": "warn",
    "scheduled": "quiet",
    "approved": "accent",
    "planning": "accent",
    "running": "good",
    "paused": "warn",
    "finished": "quiet",
    "cancelled": "quiet",
}
"""Which colour role a state has; colour never stands without its word."""

LANGUAGES = {"zh": "中文", "mn": "蒙古文", "en": "英文"}
LEVELS = {1: "省", 2: "市", 3: "县", 4: "分局", 5: "网格"}
TAXPAYER_KINDS = {"enterprise": "企业", "individual_business": "个体工商户", "natural_person": "自然人"}
IMPORT_KINDS = {
    "org_units": "机构",
    "taxpayers": "纳税人",
    "persons": "人员和联系方式",
    "labels": "标签",
    "attributes": "属性",
    "tax_records": "缴税记录",
    "benefit_records": "优惠享受记录",
}

UPLOAD_KINDS = {kind: word for kind, word in IMPORT_KINDS.items() if not kind.endswith("_records")}


def number(value: float | None) -> str:
    """1,234,567; a dash for nothing known."""
    return "—" if value is None else f"{value:,.0f}"


def wan(value: float | None) -> str:
    """123.5 万 from ten thousand up, the plain number below."""
    if value is None:
        return "—"
    if abs(value) >= 1e8:
        return f"{value / 1e8:,.2f} 亿"
    return f"{value / 1e4:,.1f} 万" if abs(value) >= 1e4 else f"{value:,.0f}"


def percent(part: float | None, whole: float | None) -> str:
    """62.50%, with a dash when there is nothing to divide by."""
    return f"{100 * (part or 0) / whole:.2f}%" if whole else "—"


def points(share: float | None) -> str:
    """4.20 for a difference of shares of 0.042, in percentage points; a dash if there is none."""
    return "—" if share is None else f"{100 * share:+.2f}".replace("-", "−")


def money(value: float | None) -> str:
    """12,345.00 元."""
    return "—" if value is None else f"{value:,.2f} 元"


def moment(value: datetime | None) -> str:
    """2026-03-15 14:05 as the clock in Beijing shows it."""
    return "—" if value is None else f"{in_beijing(value):%Y-%m-%d %H:%M}"


def day(value: datetime | date | None) -> str:
    """2026-03-15."""
    if isinstance(value, datetime):
        value = in_beijing(value).date()
    return "—" if value is None else value.isoformat()


def clock(value: datetime) -> str:
    """14:05."""
    return f"{in_beijing(value):%H:%M}"


def long_day(value: datetime) -> str:
    """2026 年 3 月 15 日 星期日."""
    local = in_beijing(value)
    return f"{local.year} 年 {local.month} 月 {local.day} 日 星期{WEEKDAYS[local.weekday()]}"


def span(value: timedelta | None) -> str:
    """How long, in the two largest units: 2 天 3 小时, 5 分钟, 12 秒."""
    if value is None:
        return "—"
    seconds = max(0, int(value.total_seconds()))
    units = (("天", seconds // 86400), ("小时", seconds // 3600 % 24), ("分钟", seconds // 60 % 60))
    parts = [f"{count} {unit}" for unit, count in units if count]
    return " ".join(parts[:2]) if parts else f"{seconds} 秒"


def ago(value: datetime | None, now: datetime) -> str:
    """刚刚, 5 分钟前, 3 天 2 小时前."""
    if value is None:
        return "从未"
    gone = now - value
    return "刚刚" if gone < timedelta(seconds=60) else f"{span(gone)}前"


def word(code: str, words: Mapping[str, str]) -> str:
    """The Chinese word of a code; the code itself if it is unknown."""
    return words.get(code, code)
