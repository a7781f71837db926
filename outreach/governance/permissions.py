"""Permissions and roles as data.

A permission is a verb on a thing; where it reaches is the actor's org scope. The three administrators of
GB/T 22239-2019 level 3 (三员分立) hold no business permission and combine with no other role: the database
refuses it too (migration 0002).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from outreach.errors import InvalidInput

PERMISSIONS: dict[str, str] = {
    "campaign.read": "查看活动和轮次",
    "campaign.write": "新建和修改活动",
    "campaign.approve": "审批活动",
    "campaign.emergency": "应急发出活动（先发后审）",
    "round.control": "暂停、继续、取消轮次",
    "segment.read": "查看人群和标签",
    "segment.write": "新建和修改人群",
    "taxpayer.read": "查询纳税人和时间线",
    "template.read": "查看模板",
    "template.write": "编辑模板",
    "message.read": "查看消息明细",
    "report.read": "查看分析报表",
    "report.export": "导出名单和报表",
    "event.write": "推送办理事件",
    "import.read": "查看导入记录",
    "import.write": "导入数据",
    "gateway.read": "查看网关状态",
    "gateway.write": "配置网关",
    "account.read": "查看账号",
    "account.write": "新建、锁定账号",
    "role.assign": "分配角色",
    "key.read": "查看接口密钥",
    "key.write": "签发、吊销接口密钥",
    "audit.read": "查看审计日志",
    "statement.read": "查看账单",
    "statement.write": "出具账单",
    "finding.read": "查看疑点和底册",
    "finding.verify": "核实疑点",
    "service.read": "查看互动",
    "service.write": "答复互动、办理工单",
    "work.read": "查看外呼与走访",
    "work.write": "登记外呼与走访结果",
    "work.assign": "分派外呼与走访、申请入户",
    "visit.approve": "审批入户",
}
"""Every permission with what it lets one do, as the console shows it."""


@dataclass(frozen=True, slots=True)
class Role:
    """A set of permissions with a Chinese name. `administrator`: one of the three separated powers."""

    code: str
    name: str
    permissions: frozenset[str]
    administrator: bool = False
    second_factor: bool = False


_READ = ("campaign.read", "segment.read", "template.read", "report.read", "message.read", "gateway.read")

_WORK = ("work.read", "work.write")

_ROLES = (
    Role(
        "planner",
        "统筹岗",
        frozenset(
            (
                *_READ,
                "campaign.write",
                "round.control",
                "segment.write",
                "taxpayer.read",
                "report.export",
                "import.read",
                "statement.read",
                "statement.write",
                "finding.read",
                "service.read",
                "service.write",
                *_WORK,
                "work.assign",
            )
        ),
    ),
    Role(
        "executor",
        "执行岗",
        frozenset(
            (
                *_READ,
                "round.control",
                "taxpayer.read",
                "service.read",
                "service.write",
                "statement.read",
                "finding.read",
                *_WORK,
                "work.assign",
            )
        ),
    ),
    Role("grid_member", "网格员", frozenset(_WORK)),
    Role(
        "approver",
        "审批岗",
        frozenset(
            (*_READ, "campaign.approve", "round.control", "taxpayer.read", "work.read", "visit.approve")
        ),
        second_factor=True,
    ),
    Role("duty_officer", "应急值班岗", frozenset((*_READ, "campaign.emergency")), second_factor=True),
    Role("verifier", "税种核实岗", frozenset(("taxpayer.read", "finding.read", "finding.verify"))),
    Role("analyst", "分析岗", frozenset((*_READ, "report.export"))),
    Role("content_editor", "内容编辑岗", frozenset(("template.read", "template.write", "campaign.read"))),
    Role(
        "data_officer",
        "数据岗",
        frozenset(("segment.read", "taxpayer.read", "import.read", "import.write", "event.write")),
    ),
    Role(
        "system_admin",
        "系统管理员",
        frozenset(("account.read", "account.write", "gateway.read", "gateway.write", "key.read")),
        administrator=True,
        second_factor=True,
    ),
    Role(
        "security_admin",
        "安全管理员",
        frozenset(("account.read", "role.assign", "key.read", "key.write")),
        administrator=True,
        second_factor=True,
    ),
    Role("audit_admin", "审计管理员", frozenset(("audit.read",)), administrator=True, second_factor=True),
)

ROLES: dict[str, Role] = {role.code: role for role in _ROLES}
"""Every role by its code."""


def permissions_of(roles: Iterable[str]) -> frozenset[str]:
    """The union of what the roles allow. A role that no longer exists allows nothing."""
    known = [ROLES[code].permissions for code in roles if code in ROLES]
    return frozenset().union(*known)


def needs_second_factor(roles: Iterable[str]) -> bool:
    """Whether policy asks the holder of these roles for a one-time code at every log-in."""
    return any(ROLES[code].second_factor for code in roles if code in ROLES)


def check_roles(roles: Iterable[str]) -> frozenset[str]:
    """The roles as a set. Raises InvalidInput for an unknown role or a mixture that 三员分立 forbids."""
    wanted = frozenset(roles)
    unknown = sorted(wanted - ROLES.keys())
    if unknown:
        raise InvalidInput(f"没有这样的角色：{'、'.join(unknown)}。", field="roles")
    if len(wanted) > 1 and any(ROLES[code].administrator for code in wanted):
        raise InvalidInput(
            "三员分立：系统、安全、审计管理员不能互相兼任，也不能兼任业务角色。请只保留一个。", field="roles"
        )
    return wanted


def check_permissions(permissions: Iterable[str]) -> list[str]:
    """The permissions in order. Raises InvalidInput for one that does not exist."""
    wanted = sorted(set(permissions))
    unknown = [code for code in wanted if code not in PERMISSIONS]
    if unknown or not wanted:
        named = "、".join(unknown) or "（未选择）"
        raise InvalidInput(f"没有这样的权限：{named}。请从权限表中选择。", field="permissions")
    return wanted
