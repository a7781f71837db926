"""A second proof of who sits there, before something that reaches very many."""

from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.governance.actor import Actor
from outreach.governance.attempts import forget_attempts, note_attempt
from outreach.governance.passwords import verify_password
from outreach.governance.totp import use_code
from outreach.runtime import Runtime

_SQL = load_queries(__file__)


async def reconfirm(rt: Runtime, actor: Actor, proof: str, *, remote: str) -> None:
    """Check a one-time code (six digits, where the account has a second factor) or the password.

    Raises InvalidInput at `proof`, and TooMany after too many tries.
    """
    if not proof:
        raise InvalidInput("人数较多，请再次输入登录密码，或手机上的一次性验证码", field="proof")
    row = await rt.db.fetch_one(_SQL["account"], {"id": actor.id})
    if row is None:
        raise InvalidInput("只有登录的人员可以审批，请重新登录", field="proof")
    await note_attempt(rt, row["login"], remote)
    is_code = len(proof) == 6 and proof.isdecimal() and row["second_factor"]
    if is_code:
        right = await use_code(rt, actor.id, proof)
    else:
        right = await verify_password(row["password_hash"], proof)
    if not right:
        raise InvalidInput("密码或验证码不对，请重新输入；验证码每个只能用一次", field="proof")
    await forget_attempts(rt, row["login"], remote)
