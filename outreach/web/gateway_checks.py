"""Trying an account without sending anything: what the API's and the console's 检测 do."""

import asyncio

from channels.errors import ChannelError
from outreach.errors import NotFound
from outreach.ledger.gateways import Fleet

_LONGEST = 30.0
_NO_ANSWER = "网关在 30 秒内没有应答，请检查网络和地址。"


async def check_gateway(fleet: Fleet, gateway_id: int) -> str:
    """What is wrong with the account, in words for staff; empty if it works. Raises NotFound."""
    try:
        await fleet.gateway(gateway_id)
    except KeyError as error:
        raise NotFound("没有这个网关。") from error
    try:
        async with asyncio.timeout(_LONGEST):
            await (await fleet.adapter(gateway_id)).check()
    except TimeoutError:
        return _NO_ANSWER
    except ChannelError as error:
        return str(error)
    return ""
