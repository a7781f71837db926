"""Subscription notices (订阅通知) of a service account: the same account, another promise. Protocol sheet
section 3.

A person subscribes to a template, once for one notice or, in the categories of government and a few others,
for good. The platform neither takes a key of ours nor tells the number under which it reports, so whether an
unknown notice went out nobody can find out.
"""

from collections.abc import Sequence
from typing import ClassVar

import orjson

from channels.base import Channel, Facts, Outbound, SendResult
from channels.errors import Fault
from channels.wechat_official.adapter import WechatOfficial
from channels.wechat_official.fields import FieldInvalid, fit

NOT_SUBSCRIBED = "43101"


class WechatSubscription(WechatOfficial):
    """Subscription notices, one request each. Who has not subscribed can still be told otherwise, so that is
    no refusal of the account's messages."""

    name: ClassVar[str] = "wechat_subscription"
    facts: ClassVar[Facts] = Facts(
        channel=Channel.WECHAT, batch_size=1, features=frozenset({"uplink", "filed_template", "web_login"})
    )
    path: ClassVar[str] = "/cgi-bin/message/subscribe/bizsend"

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """One request per message, `concurrency` at a time."""
        results = await super().send(batch)
        return [
            result._replace(fault=Fault.UNSUPPORTED) if result.code == NOT_SUBSCRIBED else result
            for result in results
        ]

    def compose(self, message: Outbound) -> bytes:
        """The JSON of a notice; `page` is what a tap opens. Raises FieldInvalid."""
        if not message.template:
            raise FieldInvalid("template_id")
        body: dict[str, object] = {
            "touser": message.address,
            "template_id": message.template,
            "data": {key: {"value": fit(key, value)} for key, value in message.params.items()},
        }
        if message.url:
            body["page"] = message.url
        try:
            return orjson.dumps(body)
        except TypeError as error:
            raise FieldInvalid("json") from error
