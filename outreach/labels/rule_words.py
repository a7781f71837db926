"""The rule of an audience as a taxpayer may read it about herself."""

from outreach.db.pool import Connection
from outreach.labels.evaluate import bind_text
from outreach.labels.plan import Drawn, Every, Members, Named, Plan, Range, Some, Subtree


async def tell_rule(conn: Connection, text: str, scope_org_id: int) -> str:
    """The conditions of an expression in one Chinese clause; empty where it has none, as for everyone.

    Whom it leaves out is not told: that explains to nobody why she was told. Raises ExpressionInvalid for an
    expression that cannot be read any more, NotFound.
    """
    plan, _ = await bind_text(conn, text, scope_org_id)
    return _clause(plan)


def _clause(plan: Plan) -> str:
    match plan:
        case Members(yes=yes) | Subtree(yes=yes):
            return yes
        case Drawn():
            return "被随机抽中"
        case Range(attribute=attribute, condition=condition):
            return f"{attribute.name}{condition}"
        case Named(item=item):
            return _clause(item)
        case Every(items=items):
            return "，".join(dict.fromkeys(told for item in items if (told := _clause(item))))
        case Some(items=items):
            ways = [_clause(item) for item in items]
            return f"（{'；或者'.join(ways)}）" if all(ways) else ""
        case _:
            return ""
