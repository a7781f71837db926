"""Every adapter by its name. Adding a provider is one module and one word here."""

from channels.aliyun.sms import AliyunSms
from channels.base import Adapter
from channels.email_smtp import EmailSmtp
from channels.fiveg_bot import FivegBot
from channels.wechat_official import WechatOfficial

ADAPTERS: dict[str, type[Adapter]] = {
    EmailSmtp.name: EmailSmtp,
    AliyunSms.name: AliyunSms,
    FivegBot.name: FivegBot,
    WechatOfficial.name: WechatOfficial,
}
