"""The content of a message per channel, as it is taken: every string in it is a template."""

from typing import Annotated, Any, Literal

from pydantic import Field

from outreach.web.api.fields import Model, Text

Short = Annotated[Text, Field(min_length=1, max_length=200)]
Long = Annotated[Text, Field(min_length=1, max_length=4_000)]
Address = Annotated[Text, Field(max_length=1_000)]
_MOST_BUTTONS = 11
_MOST_CARDS = 12


class Button(Model):
    """A button or quick reply of a 5G card; `value` is the text, address, number, entry or place behind it;
    `postback` comes back when it is pressed, its label unless told otherwise."""

    kind: Literal["reply", "url", "dial", "calendar", "map"]
    label: Short
    value: Annotated[Text, Field(max_length=1_000)] = ""
    postback: Annotated[Text, Field(max_length=1_000)] | None = None


class FurtherCard(Model):
    """A card of a carousel behind the first; title, body or picture must be there."""

    title: Annotated[Text, Field(max_length=200)] = ""
    body: Annotated[Text, Field(max_length=4_000)] = ""
    image_url: Address | None = None
    actions: Annotated[list[Button], Field(max_length=_MOST_BUTTONS)] | None = None
    height: Literal["short", "medium", "tall"] | None = None


class SmsContent(Model):
    """The text without the signature."""

    text: Long


class RichContent(Model):
    """A 5G card; `text` is the SMS that it falls back to. `layout` tells where its picture stands. With
    `more` it is a carousel of upright cards: `width` is theirs and `chips` are those of the whole."""

    text: Long
    title: Short
    body: Long
    image_url: Address | None = None
    actions: Annotated[list[Button], Field(max_length=_MOST_BUTTONS)] | None = None
    chips: Annotated[list[Button], Field(max_length=_MOST_BUTTONS)] | None = None
    layout: Literal["vertical", "left", "right"] | None = None
    height: Literal["short", "medium", "tall"] | None = None
    width: Literal["small", "medium"] | None = None
    more: Annotated[list[FurtherCard], Field(max_length=_MOST_CARDS - 1)] | None = None


class OfficialContent(Model):
    """The fields of a template of the official account, as the provider named them, and what a tap opens."""

    fields: Annotated[
        dict[Annotated[Text, Field(pattern=r"^[a-z][a-z_]*[0-9]*$")], Short], Field(min_length=1)
    ]
    url: Address | None = None


class EmailContent(Model):
    """Both forms of a letter are sent together."""

    subject: Short
    html: Annotated[Text, Field(min_length=1, max_length=200_000)]
    text: Annotated[Text, Field(min_length=1, max_length=20_000)]


class NoticeContent(Model):
    """A text; with a title and a link it is a card that leads there."""

    text: Long
    title: Annotated[Text, Field(max_length=200)] | None = None
    url: Address | None = None


class _Message(Model):
    def plain(self) -> dict[str, Any]:
        """The content as it is stored; parts that were not given are left out."""
        return self.model_dump(exclude_none=True)["content"]  # type: ignore[no-any-return]


class Sms(_Message):
    """短信."""

    channel: Literal["sms"]
    content: SmsContent


class Rich(_Message):
    """5G 消息."""

    channel: Literal["rcs"]
    content: RichContent


class Official(_Message):
    """微信公众号模板消息."""

    channel: Literal["wechat"]
    content: OfficialContent


class Email(_Message):
    """电子邮件."""

    channel: Literal["email"]
    content: EmailContent


class Wecom(_Message):
    """企业微信应用消息."""

    channel: Literal["wecom"]
    content: NoticeContent


class ScriptContent(Model):
    """What staff say; it names no amount."""

    text: Long


class Call(_Message):
    """电话话术."""

    channel: Literal["call"]
    content: ScriptContent


class Visit(_Message):
    """上门话术."""

    channel: Literal["visit"]
    content: ScriptContent


class Dingtalk(_Message):
    """钉钉工作通知."""

    channel: Literal["dingtalk"]
    content: NoticeContent
