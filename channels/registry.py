"""Every adapter by its name. Adding a provider is one module and one word here."""

from channels.aliyun.rcs import AliyunRcs
from channels.aliyun.sms import AliyunSms
from channels.base import Adapter
from channels.cmpp import Cmpp
from channels.dingtalk import Dingtalk
from channels.email_smtp import EmailSmtp
from channels.fiveg_bot import FivegBot
from channels.fiveg_maap import FivegMaap
from channels.smpp import Smpp
from channels.tencent.sms import TencentSms
from channels.wechat_official import WechatOfficial, WechatSubscription
from channels.wecom import Wecom

ADAPTERS: dict[str, type[Adapter]] = {
    EmailSmtp.name: EmailSmtp,
    AliyunRcs.name: AliyunRcs,
    AliyunSms.name: AliyunSms,
    Cmpp.name: Cmpp,
    Dingtalk.name: Dingtalk,
    FivegBot.name: FivegBot,
    FivegMaap.name: FivegMaap,
    Smpp.name: Smpp,
    TencentSms.name: TencentSms,
    WechatOfficial.name: WechatOfficial,
    WechatSubscription.name: WechatSubscription,
    Wecom.name: Wecom,
}
