"""A custom robot (自定义机器人) of a DingTalk group: short notices to a team, never to a taxpayer.

It has no persons as addresses and no account of ours behind it, so it is no adapter. Protocol sheet, custom
robot webhook.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import quote, urlencode

import orjson

from channels.errors import Fault, GatewayError
from channels.http import Http, MaybeSent, NotSent
from channels.sending import Unreadable
from channels.token_client import read_answer

_HEADERS = {"content-type": "application/json"}
_FAULTS = {
    310000: (Fault.UNAUTHORIZED, "机器人安全设置不符：请检查加签密钥、关键词和 IP"),
    300001: (Fault.MISCONFIGURED, "机器人不存在，请检查 access_token"),
    400101: (Fault.MISCONFIGURED, "机器人不存在，请检查 access_token"),
    400013: (Fault.MISCONFIGURED, "群已解散"),
    130101: (Fault.THROTTLED, "机器人每分钟最多发 20 条，超出后停用 10 分钟"),
}


def sign_robot(secret: str, stamp: int) -> str:
    """The signature of a request at `stamp`, milliseconds of the epoch."""
    told = f"{stamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), told, hashlib.sha256).digest()).decode()


async def tell_group(
    http: Http, base: str, access_token: str, secret: str, text: str, clock: Callable[[], float]
) -> None:
    """Say a text in the group. `clock` gives seconds of the epoch; an empty secret leaves the signature out.
    Raises GatewayError; whether a text arrived is unknown where its fault is `outcome_unknown`."""
    query = {"access_token": access_token}
    if secret:
        stamp = int(clock() * 1000)
        query |= {"timestamp": str(stamp), "sign": sign_robot(secret, stamp)}
    url = f"{base.rstrip('/')}/robot/send?{urlencode(query, quote_via=quote, safe='')}"
    body = orjson.dumps({"msgtype": "text", "text": {"content": text}})
    try:
        answer = read_answer(await http.request("POST", url, headers=_HEADERS, body=body))
    except NotSent as error:
        raise GatewayError(Fault.UNREACHABLE, "无法连接钉钉，请检查网络和接口地址") from error
    except (MaybeSent, Unreadable) as error:
        raise GatewayError(Fault.OUTCOME_UNKNOWN, "钉钉没有可识别的应答，消息可能已发出") from error
    if answer.errcode:
        fault, told = _FAULTS.get(answer.errcode, (Fault.REJECTED, "钉钉拒绝了机器人的消息"))
        raise GatewayError(fault, f"{told}（错误码 {answer.errcode}）", str(answer.errcode))
