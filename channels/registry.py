"""Every adapter by its name. Adding a provider is one module and one word here."""

from channels.aliyun.sms import AliyunSms
from channels.base import Adapter
from channels.cmpp import Cmpp
from channels.email_smtp import EmailSmtp
from channels.fiveg_bot import FivegBot
from channels.smpp import Smpp
from channels.wechat_official import WechatOfficial

ADAPTERS: dict[str, type[Adapter]] = {
    EmailSmtp.name: EmailSmtp,
    AliyunSms.name: AliyunSms,
    Cmpp.name: Cmpp,
    FivegBot.name: FivegBot,
    Smpp.name: Smpp,
    WechatOfficial.name: WechatOfficial,
}
