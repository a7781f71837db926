"""The processes of the hosts: those of the chaos suite, each in the namespace of its host."""

import multiprocessing
from multiprocessing.process import BaseProcess

from tests.chaos.process import Part, play
from tests.hosts.net import Host


def begin(host: Host, part: Part) -> BaseProcess:
    """Start a worker, scheduler, web process or the gateways on a host."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_main, args=(host, part), daemon=True)
    # The server that forks listens in the namespace in which it was started.
    with host.outside():
        process.start()
    return process


def _main(host: Host, part: Part) -> None:
    with host.inside():
        play(part)
