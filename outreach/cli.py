"""The command line, for technicians and scripts: `outreach --help`.

Commands that work on data use the servers of the settings, or those that `outreach up` runs under `var/`.
A command is a module of its name in `outreach/commands/` and is imported when it is called: all of them
together import the whole product, and most of them need little of it.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

COMMANDS = {
    "up": "启动全部服务：数据库、队列、网站、工作进程、调度。按 Ctrl-C 停止。",
    "demo": "一分钟看完一个汇算季：样例城市、四轮提醒、回执、账单、报告。",
    "web": "网站进程。",
    "worker": "工作进程。",
    "scheduler": "调度进程。",
    "gateways": "仿真网关：各运营商和平台的真实协议，只收不发。",
    "migrate": "更新数据库结构。",
    "import": "导入 CSV 或 Excel 文件；有问题的行写入报告，不影响其他行。",
    "report": "一个活动的触达报告。",
    "audit": "重新清点一轮或全部轮次，逐项核对报表的数。",
    "why": "一轮为什么没动：真实原因按影响大小排列，每条附处理办法。",
    "unknown": "结果未知的消息：按网关和原因的条数，逐条的原因、下一步和回执期限。",
    "gateways-log": "网关熔断、恢复、权重和改道的记录，最新的在前，每条带原因。",
    "books": "仿真网关的账与台账逐条核对。",
    "sample": "生成一座虚构城市的数据文件（GBK、Excel、UTF-8 都有）。",
    "quarantine": "切换到可能缺少最后提交的备库之后、启动工作进程之前：凡可能已发出的，一律改为结果未知。",
    "scan": "扫描应享未享、违规享受和临界的户；没有变化的疑点保留核实结果。",
    "segment": "人群表达式",
    "storage": "存储：分区、归档、恢复、保存期限",
    "statements": "文书：出具、导出、明白纸",
    "evidence": "证据：核对导出的确认记录",
}
"""What each command says of itself, so that the list of commands imports none of them."""
_LISTING = "outreach.cli.listing"


class _Commands(TyperGroup):
    """Commands by name, each imported when it is called (Click, "Lazily Loading Subcommands"). What a context
    and a command derive from is private to Typer."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, name: str) -> Any:
        if name not in COMMANDS:
            return None
        if _LISTING in ctx.meta:
            return TyperCommand(name, help=COMMANDS[name])
        return load_command(name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        ctx.meta[_LISTING] = True
        super().format_help(ctx, formatter)


def load_command(name: str) -> Any:
    """The command of a name in COMMANDS, imported."""
    module: Any = import_module(f"outreach.commands.{_MODULES.get(name, name)}")
    return get_command(module.app)


_MODULES = {"gateways-log": "gateways_log", "import": "import_"}
app = typer.Typer(cls=_Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _outreach() -> None:
    """税务触达平台 Outreach"""


if __name__ == "__main__":
    app()
