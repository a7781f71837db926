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
            ("在纳税人页面查看一户的时间线", "/console/taxpayers"),
            ("导入缴税和优惠享受记录", "/console/settings"),
        ],
    )


@routes.get("/service", permission="service.read")
async def service(request: Request) -> HTMLResponse:
    """互动."""
    return page(
        request,
        "later.html",
        place="service",
        title="互动",
        belongs="纳税人的回复、疑问、投诉、评价，以及需要电话和上门的户，在这里按时限分派和办结。",
        coming=[
            "回复和疑问统一进一个收件箱，按来源各自计时",
            "电话名单：同一个人代管的几户合成一通，附要点和一键登记结果",
            "上门名单：只有名称、地址和事项，不含金额，到期失效",
        ],
        instead=[
            ("看各渠道的上行消息", "/console/service/uplinks"),
            ("看各活动还有谁没办", "/console/"),
            ("在一户的时间线里看回复和退订", "/console/taxpayers"),
        ],
    )
