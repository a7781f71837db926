"""What a SendRCS must be. Source: sheet, section 8; signatures, parameters and codes as sections 3 to 6."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from channels.gateways.aliyun_api.params import need, read_json, read_out_id
from channels.gateways.aliyun_api.refusals import BusinessRefusal

PREFIX = "RCS_SMS_"
FORMATS = ("PLAIN_TEXT", "RCS")
_NUMBER = re.compile(r"1[3-9]\d{9}", re.ASCII)
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """An approved notice. Literal pieces and variable names alternate in `pieces`: of a plain text all of it,
    of a rich one whatever is written on its cards."""

    pieces: tuple[str, ...]
    kind: str

    @classmethod
    def of(cls, code: str, body: str, kind: str = "RCS") -> "Template":
        """Review a template. Raises ValueError, as the reviewer would turn it down."""
        if not code.startswith(PREFIX) or code == PREFIX:
            raise ValueError(f"5G 消息模板编号 {code} 应以 {PREFIX} 开头")
        if not body.strip() or kind not in FORMATS:
            raise ValueError(f"模板 {code} 的内容不能为空，格式只有 {'、'.join(FORMATS)}")
        return cls(tuple(_VARIABLE.split(body)), kind)

    def render(self, values: Mapping[str, Any]) -> str:
        """What one person sees. Raises BusinessRefusal."""
        pieces = list(self.pieces)
        for place in range(1, len(pieces), 2):
            name = pieces[place]
            if name not in values:
                raise BusinessRefusal("isv.TEMPLATE_MISSING_PARAMETERS", f"模板缺少变量{name}")
            if not isinstance(values[name], str):
                raise BusinessRefusal("isv.TEMPLATE_PARAMS_ILLEGAL", f"变量{name}应为字符串")
            pieces[place] = values[name]
        return "".join(pieces)


@dataclass(frozen=True, slots=True)
class Sending:
    """A SendRCS whose every parameter is right."""

    number: str
    text: str
    template: str
    kind: str
    out_id: str


class Catalogue:
    """What the account has: signatures that were `upgraded` to 5G messages, or are `waiting` to be filed."""

    def __init__(self, upgraded: Iterable[str], templates: Mapping[str, str]) -> None:
        self.upgraded = set(upgraded)
        self.waiting: set[str] = set()
        self._templates: dict[str, Template] = {}
        for code, body in templates.items():
            self.approve(code, body)

    def approve(self, code: str, body: str, kind: str = "RCS") -> None:
        """Approve a template. Raises ValueError if the reviewer would turn it down."""
        self._templates[code] = Template.of(code, body, kind)

    def signature(self, name: str) -> str:
        """An upgraded signature. Raises BusinessRefusal."""
        if name not in self.upgraded | self.waiting:
            raise BusinessRefusal("isv.SMS_SIGNATURE_ILLEGAL", "短信签名不合法")
        return name

    def read(self, params: Mapping[str, str]) -> Sending:
        """The parameters of SendRCS. Raises GatewayRefusal, BusinessRefusal."""
        number, name = need(params, "PhoneNumbers"), need(params, "SignName")
        code = need(params, "TemplateCode")
        if not _NUMBER.fullmatch(number):
            raise BusinessRefusal("isv.MOBILE_NUMBER_ILLEGAL", "手机号码格式错误")
        if self.signature(name) in self.waiting:
            raise BusinessRefusal("isv.SIGN_STATE_ILLEGAL", "签名状态不合法")
        if code not in self._templates:
            raise BusinessRefusal("isv.SMS_TEMPLATE_ILLEGAL", "短信模板不合法")
        values = read_json(params.get("TemplateParam") or "{}")
        if not isinstance(values, dict):
            raise BusinessRefusal("isv.INVALID_JSON_PARAM", "模板参数应为JSON对象")
        template = self._templates[code]
        return Sending(number, template.render(values), code, template.kind, read_out_id(params))

    def describe(self, name: str) -> dict[str, Any]:
        """What GetRCSSignature tells of a signature. Raises BusinessRefusal."""
        state = 1 if self.signature(name) in self.waiting else 3
        filed = {"OperatorCode": "mobile", "ProductType": 1, "RegisterStatus": state}
        return {
            "SignName": name,
            "ChatbotName": name,
            "SignId": 100_000,
            "ChatbotCode": "RCS_CHATBOT_123410123",
            "RegisterResultList": [filed],
        }
