"""What the columns of registry files are called, and what stands in them."""

from outreach.imports.mapping import Field

ROLES = {
    "self": "本人",
    "tax_filer": "办税员",
    "finance_head": "财务负责人",
    "legal_representative": "法定代表人",
    "invoice_clerk": "领票人",
    "agent": "涉税代理人",
}
"""Roles in the order in which they are preferred as the contact of a household."""

ROLES_IN_ROW = ("legal_representative", "finance_head", "tax_filer", "invoice_clerk", "agent")
"""Roles that a taxpayer's own row may name, each with name, identity number and mobile."""

_ROLE_WORDS = {
    "self": ("本人", "自然人", "self"),
    "legal_representative": (
        "法定代表人",
        "法定代表人(负责人)",
        "法人",
        "法人代表",
        "负责人",
        "经营者",
        "业主",
    ),
    "finance_head": ("财务负责人", "财务主管"),
    "tax_filer": ("办税员", "办税人", "办税人员", "报税员"),
    "invoice_clerk": ("领票人", "领票员", "购票员", "开票员", "发票领用人"),
    "agent": ("涉税代理人", "代理人", "税务代理人", "代账会计", "代理"),
}
ROLE_OF_WORD = {word: role for role, words in _ROLE_WORDS.items() for word in (*words, role)}

KIND_OF_WORD = {
    **dict.fromkeys(("企业", "单位", "单位纳税人", "法人", "公司", "enterprise"), "enterprise"),
    **dict.fromkeys(
        ("个体工商户", "个体", "个体户", "个体经营", "individual_business"), "individual_business"
    ),
    **dict.fromkeys(("自然人", "个人", "居民个人", "natural_person"), "natural_person"),
}

LANGUAGE_OF_WORD = {
    **dict.fromkeys(("汉语", "汉文", "中文", "普通话", "zh"), "zh"),
    **dict.fromkeys(("蒙古语", "蒙古文", "蒙语", "蒙文", "mn"), "mn"),
    **dict.fromkeys(("英语", "英文", "en"), "en"),
}

_ID_NUMBER = ("证件号码", "身份证件号码", "身份证号码", "身份证号", "证件号", "身份证")
_MOBILE = ("手机号码", "手机号", "手机", "移动电话", "联系电话", "电话")
_TAX_NO = (
    "统一社会信用代码",
    "社会信用代码",
    "统一社会信用代码(纳税人识别号)",
    "社会信用代码(纳税人识别号)",
    "纳税人识别号(统一社会信用代码)",
    "纳税人识别号/统一社会信用代码",
    "纳税识别号",
    "税号",
)


def _role_fields(role: str) -> tuple[Field, ...]:
    words = [word for word in _ROLE_WORDS[role] if not word.isascii() and word != "法人代表"]
    title = ROLES[role]
    return (
        Field(f"{role}_name", f"{title}姓名", tuple(f"{word}姓名" for word in words) + tuple(words)),
        Field(f"{role}_id_no", f"{title}证件号码", tuple(w + suffix for w in words for suffix in _ID_NUMBER)),
        Field(f"{role}_mobile", f"{title}手机号码", tuple(w + suffix for w in words for suffix in _MOBILE)),
    )


TAX_NO = Field("tax_no", "纳税人识别号", _TAX_NO, required=True)

TAXPAYER_FIELDS = (
    TAX_NO,
    Field(
        "name",
        "纳税人名称",
        ("企业名称", "单位名称", "纳税人姓名", "户名", "名称", "姓名"),
        required=True,
    ),
    Field("kind", "纳税人类型", ("纳税人类别", "主体类型", "户类型")),
    Field(
        "org_code",
        "主管税务机关代码",
        (
            "主管税务所代码",
            "主管税务所(科、分局)代码",
            "税务机关代码",
            "主管税务机关",
            "机构代码",
            "网格代码",
        ),
        required=True,
    ),
    Field("industry", "行业代码", ("国民经济行业代码", "行业大类代码", "所属行业", "行业")),
    Field("registered_on", "登记日期", ("税务登记日期", "设立登记日期", "成立日期", "开业日期", "注册日期")),
    Field("mobile", "手机号码", _MOBILE[1:]),
    *(field for role in ROLES_IN_ROW for field in _role_fields(role)),
)

PERSON_FIELDS = (
    Field("name", "姓名", ("人员姓名", "纳税人姓名", "联系人"), required=True),
    Field("id_no", "证件号码", _ID_NUMBER[1:], required=True),
    Field("id_kind", "证件类型", ("身份证件类型", "证件种类")),
    Field("mobile", "手机号码", _MOBILE[1:]),
    Field("openid", "微信openid", ("openid", "公众号openid", "微信号标识")),
    Field("email", "电子邮箱", ("邮箱", "电子邮件", "邮件地址", "email", "e-mail")),
    Field("wecom_userid", "企业微信账号", ("企业微信userid", "企微账号", "企微userid")),
    Field("dingtalk_userid", "钉钉账号", ("钉钉userid", "钉钉用户ID")),
    Field("language", "语言", ("使用语言", "语种", "通知语言")),
    Field("special_care", "特殊关怀", ("特殊人群", "是否特殊关怀", "需特殊关怀")),
    Field("tax_no", "纳税人识别号", (*_TAX_NO, "关联纳税人识别号", "任职单位纳税人识别号")),
    Field("role", "身份", ("人员身份", "办税身份", "角色", "人员类型")),
)

ORG_FIELDS = (
    Field("code", "机构代码", ("税务机关代码", "组织代码", "代码"), required=True),
    Field("name", "机构名称", ("税务机关名称", "组织名称", "名称"), required=True),
    Field("parent_code", "上级机构代码", ("上级代码", "上级税务机关代码", "父级代码"), required=True),
)
