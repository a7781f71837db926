"""In what platforms of one interface differ, as data: a province's variant is one more row of `PROFILES`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from channels.base import Channel, DeliveryState

Meaning = tuple[DeliveryState, Channel | None]

STATUSES: Mapping[str, Meaning] = {
    "messagesent": (DeliveryState.ACCEPTED, None),
    "deliveredtoterminal": (DeliveryState.DELIVERED, None),
    "messagedisplayed": (DeliveryState.READ, None),
    "deliveredtonetwork": (DeliveryState.DELIVERED, Channel.SMS),
    "deliveredtosms": (DeliveryState.DELIVERED, Channel.SMS),
    "deliveredtovms": (DeliveryState.DELIVERED, Channel.SMS),
    "deliveryimpossible": (DeliveryState.FAILED, None),
    "deliveredtosmsfailed": (DeliveryState.FAILED, Channel.SMS),
    "deliveredtovmsfailed": (DeliveryState.FAILED, Channel.SMS),
    "revoked": (DeliveryState.FAILED, None),
}
"""Status words in lower case, and what they mean; a fallback is one whether or not it arrived."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A platform's paths, names and words.

    `{bot}` in a path is the chatbot's address, `{id}` a messageId. `hashed`: the secret is a password, of
    which the hash is used, and not a token that is one already. `headers` are sent beside the usual ones;
    `{account}` in them is the account's name. `address` is the header that names the user.
    """

    title: str
    send: str = "/messaging/group/v1/outbound/{bot}/requests"
    revoke: str = "/messaging/v1/outbound/{bot}/requests/{id}/status"
    revoke_method: str = "PUT"
    files: str = "/Content"
    hashed: bool = False
    prefix: str = "msg"
    namespace: str = "urn:oma:xml:rest:netapi:messaging:1"
    content_type: str = "application/xml"
    text_type: str = "text/plain;charset=UTF-8"
    address: str = "Address"
    sms_text: str = "smsBodyText"
    headers: tuple[tuple[str, str], ...] = ()
    reports: tuple[str, ...] = ("Delivered", "Displayed", "Failed", "Interworking")
    sent_report: str = "Sent"
    statuses: Mapping[str, Meaning] = field(default_factory=lambda: STATUSES)


_CSP = Profile("CSP 群发（cspId 与 cspToken）")
_CHATBOT = replace(_CSP, title="Chatbot 群发（appId 与密码）", hashed=True)

PROFILES: Mapping[str, Profile] = {
    "csp": _CSP,
    "chatbot": _CHATBOT,
    "direct": replace(_CHATBOT, title="直连 MaaP（旧版路径）", send="/messaging/v1/outbound/{bot}/requests"),
    "csp_v243": replace(
        _CSP,
        title="CSP V2.4.3（加 UserType、appId 头，回执写 SMS）",
        headers=(("UserType", "10"), ("appId", "{account}")),
        reports=("Delivered", "Displayed", "Failed", "SMS"),
    ),
    "csp_smbody": replace(
        _CSP, title="CSP（smBodyText 拼写、POST 撤回）", sms_text="smBodyText", revoke_method="POST"
    ),
}
