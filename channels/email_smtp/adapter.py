"""The adapter of e-mail by SMTP."""

import hmac
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from channels.base import (
    Adapter,
    Channel,
    Config,
    Facts,
    Outbound,
    Parsed,
    SendResult,
    WebhookRequest,
    refused,
)
from channels.email_smtp.addresses import AddressInvalid, ReturnPath, read_mailbox
from channels.email_smtp.connection import Connection, Server
from channels.email_smtp.dkim import Signer, read_signer
from channels.email_smtp.mime import Assembler, Sender
from channels.email_smtp.parts import MailInvalid
from channels.email_smtp.pool import Dispatch, Pool
from channels.email_smtp.reports import read_report
from channels.email_smtp.transaction import Mail
from channels.errors import Fault, WebhookRejected

_CHINA = timezone(timedelta(hours=8))
_DOMAIN = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$"
_SELECTOR = r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*)?$"
_TOKENS = r"^[A-Za-z0-9._:-]*$"


class EmailSmtpConfig(Config):
    """Settings of a relay account."""

    host: str = Field(title="服务器", pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int = Field(587, title="端口", ge=1, le=65535)
    tls: Literal["none", "starttls", "implicit"] = Field(
        "starttls", title="加密", description="starttls 用 587 端口，implicit 用 465，none 只用于内网中继 25"
    )
    ca_file: str = Field("", title="信任的根证书文件", description="内网自建证书时填写 PEM 文件路径")
    username: str = Field("", title="用户名")
    password: SecretStr = Field(SecretStr(""), title="密码")
    from_address: str = Field(title="发件地址")
    from_name: str = Field("", title="发件人名称", max_length=64)
    envelope_domain: str = Field(title="退信域名", pattern=_DOMAIN, description="退信寄往 bounce+…@此域名")
    list_id: str = Field("", title="List-Id", pattern=_TOKENS, max_length=128)
    feedback_id: str = Field("", title="Feedback-ID", pattern=_TOKENS, max_length=128)
    connections: int = Field(8, title="同时连接数", ge=1, le=64)
    messages_per_connection: int = Field(500, title="每个连接最多发送", ge=1)
    pipelining: bool = Field(True, title="使用 PIPELINING")
    delivery_receipts: bool = Field(
        False, title="要求送达回执", description="服务器支持 DSN 时，请求投递成功也回报"
    )
    timeout: float = Field(30.0, title="超时（秒）", gt=0, le=30)
    dkim_selector: str = Field(
        "",
        title="DKIM 选择器",
        pattern=_SELECTOR,
        description="中继不签名时，由本系统签名；d= 为发件地址的域名",
    )
    dkim_private_key: SecretStr = Field(
        SecretStr(""), title="DKIM 私钥", description="PEM 格式，RSA 2048 位以上或 Ed25519，不加口令"
    )
    callback_secret: SecretStr = Field(title="退信推送密钥", min_length=16, description="推送地址的最后一段")

    @field_validator("from_address")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            mailbox = read_mailbox(value)
        except AddressInvalid as error:
            raise ValueError("发件地址不是有效的邮箱地址") from error
        if not mailbox.ascii:
            raise ValueError("发件地址只能使用英文字符")
        return mailbox.text

    @field_validator("ca_file")
    @classmethod
    def _is_readable(cls, value: str) -> str:
        try:
            ssl.create_default_context(cafile=value or None)
        except OSError as error:
            raise ValueError("根证书文件不存在，或不是 PEM 证书") from error
        return value

    @model_validator(mode="after")
    def _can_sign(self) -> Self:
        if bool(self.dkim_selector) != bool(self.dkim_private_key.get_secret_value()):
            raise ValueError("DKIM 选择器和私钥要么都填，要么都不填")
        try:
            _signer(self)
        except ValueError as error:
            raise ValueError(
                "DKIM 私钥不能使用：需要 PEM 格式、不加口令的 RSA（2048 位以上）或 Ed25519 私钥"
            ) from error
        return self

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.username and self.tls == "none" and not _is_loopback(self.host):
            raise ValueError("不加密的连接不能使用用户名和密码，请选择 starttls 或 implicit")
        return self


class EmailSmtp(Adapter):
    """Mails over a relay. A bounce names its message, so an unknown outcome is never sent again; silence
    after acceptance is the success of this medium."""

    name: ClassVar[str] = "email_smtp"
    facts: ClassVar[Facts] = Facts(
        channel=Channel.EMAIL, batch_size=100, echoes_key=True, features=frozenset({"html", "attachments"})
    )
    config_type: ClassVar[type[Config]] = EmailSmtpConfig

    def __init__(self, config: EmailSmtpConfig) -> None:
        self._config = config
        self._secret = config.callback_secret.get_secret_value()
        self._return_path = ReturnPath(config.envelope_domain, self._secret)
        sender = Sender(
            config.from_address,
            config.from_name,
            config.from_address.rpartition("@")[2],
            config.list_id,
            config.feedback_id,
        )
        self._assembler = Assembler(sender)
        self._signer = _signer(config)
        self._pool = Pool(_server(config), config.connections, config.messages_per_connection)

    async def open(self) -> None:
        """Connect once. Raises GatewayError."""
        await self._try()

    async def close(self) -> None:
        """Take leave of the server."""
        await self._pool.close()

    async def check(self) -> None:
        """Connect anew, secure, log in; nothing is sent. Raises GatewayError."""
        await self._try(fresh=True)

    async def _try(self, *, fresh: bool = False) -> None:
        connection = await self._pool.acquire(fresh=fresh)
        if connection is not None:
            self._pool.release(connection)

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """Send over several connections at a time, pipelined where the server takes it."""

        def prepare(position: int, connection: Connection) -> Mail | SendResult:
            return self._prepare(position, batch[position], connection)

        return await Dispatch(self._pool, batch, prepare, self._config.timeout).run()

    def _prepare(self, position: int, message: Outbound, connection: Connection) -> Mail | SendResult:
        features = connection.features
        try:
            mailbox = read_mailbox(message.address)
            token = self._return_path.token(message.key)
            content = self._assembler.write(message, mailbox.text, token, datetime.now(_CHINA))
        except AddressInvalid:
            return refused(message.key, Fault.INVALID_ADDRESS, "address")
        except MailInvalid as error:
            return refused(message.key, Fault.REJECTED, error.field)
        if not mailbox.ascii and "SMTPUTF8" not in features:
            return refused(message.key, Fault.UNSUPPORTED, "smtputf8")
        if 0 < _limit(features) < len(content):
            return refused(message.key, Fault.REJECTED, "size")
        if self._signer is not None:
            content = self._signer.header(content) + content
        commands = self._commands(token, mailbox.text, features)
        return Mail(position, message.key, commands, _finish(content))

    def _commands(self, token: str, mailbox: str, features: dict[str, str]) -> tuple[bytes, bytes]:
        options = "" if mailbox.isascii() else " BODY=8BITMIME SMTPUTF8"
        notify = ""
        if "DSN" in features:
            options += f" RET=HDRS ENVID={token}"
            notify = " NOTIFY=FAILURE,DELAY" + (",SUCCESS" if self._config.delivery_receipts else "")
        sender = self._return_path.address(token)
        return f"MAIL FROM:<{sender}>{options}\r\n".encode(), f"RCPT TO:<{mailbox}>{notify}\r\n".encode()

    def verify(self, request: WebhookRequest) -> None:
        """Check that the last segment of the path is the secret. Raises WebhookRejected."""
        given = request.path.rstrip("/").rpartition("/")[2]
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret.encode()):
            raise WebhookRejected("the push address does not end with the secret")

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read a mail to a return path, as the mail server posts it. Raises WebhookRejected."""
        return read_report(request.body, self._return_path)


def _signer(config: EmailSmtpConfig) -> Signer | None:
    if not config.dkim_selector:
        return None
    domain = config.from_address.rpartition("@")[2]
    return read_signer(config.dkim_private_key.get_secret_value(), domain, config.dkim_selector)


def _server(config: EmailSmtpConfig) -> Server:
    context = None
    if config.tls != "none":
        context = ssl.create_default_context(cafile=config.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    return Server(
        config.host,
        config.port,
        config.tls,
        config.envelope_domain,
        config.timeout,
        config.pipelining,
        config.username,
        config.password.get_secret_value(),
        context,
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _limit(features: dict[str, str]) -> int:
    size = features.get("SIZE", "")
    return int(size) if size.isdigit() else 0


def _finish(content: bytes) -> bytes:
    # Our own mails hold no line that begins with a dot; the rule must not depend on it.
    stuffed = content.replace(b"\r\n.", b"\r\n..") if b"\r\n." in content else content
    return stuffed + b".\r\n"
