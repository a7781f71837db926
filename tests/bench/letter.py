"""An HTML letter of about 6 KB, as a bureau sends it: inline styles, a table, a footer."""

_CELL = "padding:8px 12px;border-bottom:1px solid #e3e6ea;font-size:15px;line-height:1.7"
_ROWS = (
    ("适用对象", "{{ taxpayers|list(3) }}"),
    ("所属年度", "{{ tax_year }}年度"),
    ("办理方式", "登录个人所得税APP或自然人电子税务局网页端，按提示核对收入和扣除后提交"),
    ("所需材料", "身份证件、银行账户信息；如有专项附加扣除变化，请准备相应凭证备查"),
    ("补税方式", "网上银行、第三方支付或办税服务厅现场缴纳，可申请分次缴纳的按规定办理"),
    ("退税方式", "提交申请后原路退至您本人在境内开立的银行账户，办理进度可在线查询"),
    ("逾期影响", "未按规定期限办理的，将依法加收滞纳金并可能影响纳税信用评价"),
    ("单位代办", "可由扣缴义务人代为办理，请在规定日期前以书面或电子方式向单位确认，并提供其他收入和扣除"),
    ("委托办理", "可委托涉税专业服务机构或其他人办理，须签订授权书，受托人按授权范围申报并留存资料"),
    ("邮寄申报", "不便通过网络办理的，可将申报表寄送至公告所列的受理机关，以寄出地邮戳日期为申报日期"),
    ("资料保存", "申报表及与收入、扣除、已缴税额或税收优惠有关的资料，自汇算期结束之日起保存五年"),
    ("咨询渠道", "12366纳税缴费服务热线，或{{ org }}办税服务厅"),
)
_TABLE = "".join(
    f'<tr><th style="{_CELL};text-align:left;white-space:nowrap;color:#5b6570">{name}</th>'
    f'<td style="{_CELL}">{text}</td></tr>'
    for name, text in _ROWS
)
_PARAGRAPHS = (
    "{{ taxpayer }}：",
    "您{{ tax_year }}年度综合所得汇算清缴尚未办理。现将有关事项提示如下，请在规定期限内完成。",
    "如您已经办理，请忽略本邮件；如对记录有异议，可在线提出申诉，处理期间不会重复提醒。",
    "我们不会通过电话、短信或邮件索要您的银行卡号、密码和验证码，也不会要求您向任何个人账户转账。",
    "申报后如发现填报有误，可在规定期限内更正申报；多缴税款的，可申请退还，少缴税款的，请及时补缴以免产生滞纳金。",
    "符合免予办理情形的，无需申报；是否符合，可在个人所得税APP首页查看，系统已按您的收入和已预缴税额作出提示。",
    "取得境外所得、有多处综合所得或本年度更换过任职单位的，请逐项核对收入明细，并据实补充未列示的项目。",
    "为方便您办理，各办税服务厅在汇算期内提供预约服务，并为老年人和行动不便人士设有专门窗口。",
)
_STYLE = "margin:0 0 14px;font-size:16px;line-height:1.8"
_BODY = "".join(f'<p style="{_STYLE}">{text}</p>' for text in _PARAGRAPHS)

LETTER = {
    "subject": "{{ tax_year }}年度综合所得汇算提醒",
    "html": (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{{ campaign }}</title></head>'
        '<body style="margin:0;background:#f3f5f7;font-family:sans-serif;color:#1d2733">'
        '<table role="presentation" width="100%"><tr><td align="center" style="padding:24px 12px">'
        '<table role="presentation" width="640" style="background:#fff;border-radius:8px;padding:28px">'
        '<tr><td><h1 style="font-size:22px;margin:0 0 18px">{{ campaign }}</h1>'
        f"{_BODY}<table>{_TABLE}</table>"
        '<p style="margin:18px 0 0;font-size:13px;color:#5b6570">核验码 {{ code }}。'
        '不想再收到此类邮件，请点击<a href="{{ unsubscribe_url }}">退订</a>。</p>'
        "</td></tr></table></td></tr></table></body></html>"
    ),
    "text": "{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理。退订：{{ unsubscribe_url }}",
}
