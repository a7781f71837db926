"""Places that are there but not built yet: they say what belongs to them and what can be done meanwhile."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from outreach.web.console.access import console_routes
from outreach.web.console.render import page

routes = console_routes()


@routes.get("/statements", permission="statement.read")
async def statements(request: Request) -> HTMLResponse:
    """账单."""
    return page(
        request,
        "later.html",
        place="statements",
        title="账单",
        belongs="纳税人每年收到的年度账单、优惠账单、政策大礼包和体检报告，在这里按批次生成、抽查和发送。",
        coming=[
            "按年度和人群生成一批账单，逐项列出依据的文件和版本",
            "随机抽查若干户，与申报数据逐项核对",
            "发送前审批，发送后看打开和疑问",
        ],
        instead=[
            ("核实应享未享、违规享受的疑点，查看底册台账", "/console/findings"),
            ("在纳税人页面查看一户的时间线", "/console/taxpayers"),
            ("导入缴税和优惠享受记录", "/console/settings"),
        ],
    )
