"""A request that hangs in a cut cable when its client gives up must not arrive when the cable is mended: by
then the gateway may have been asked for it, and it may have been sent again.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from channels.http import Http, MaybeSent, NotSent
from tests.hosts.needed import hosts_needed
from tests.hosts.net import hosts

PORT, TIMEOUT = 9000, 1.0
CUT_SECONDS, LONG_ENOUGH = 2.0, 2.5
"""The kernel repeats what is not acknowledged after 0.2, 0.6, 1.4 and 3 seconds."""

pytestmark = [pytest.mark.slow, hosts_needed]


def gateway(bodies: list[bytes]) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            while (line := await reader.readline()).strip():
                head += line
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            bodies.append(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    return answer


async def until_answered(http: Http, url: str, body: bytes) -> None:
    """The client is impatient, and the machine may stand still: asked again until there is an answer."""
    async with asyncio.timeout(60):
        while True:
            with suppress(MaybeSent, NotSent):
                await http.request("POST", url, body=body)
                return


def test_what_hangs_in_a_cut_cable_is_forgotten_when_the_client_gives_up() -> None:
    bodies: list[bytes] = []
    with hosts("gates", "one") as made:
        place, worker = made["gates"], made["one"]
        url = f"http://{place.address}:{PORT}/"

        async def play() -> None:
            with place.inside():
                listener = socket.create_server((place.address, PORT))
            server = await asyncio.start_server(gateway(bodies), sock=listener)
            http = Http(TIMEOUT)
            await until_answered(http, url, b"first")
            worker.lose([place])
            with pytest.raises(MaybeSent):
                await http.request("POST", url, body=b"second")
            await asyncio.sleep(CUT_SECONDS - TIMEOUT)
            worker.regain([place])
            await asyncio.sleep(LONG_ENOUGH)
            assert {*bodies} == {b"first"}
            await until_answered(http, url, b"third")
            assert {*bodies} == {b"first", b"third"}
            await http.close()
            server.close()

        with worker.inside():
            asyncio.run(play())
