"""The one who acts: an account in a session, or an API key."""

from dataclasses import dataclass

from outreach.errors import NotAllowed
from outreach.governance.permissions import PERMISSIONS


@dataclass(frozen=True, slots=True)
class Actor:
    """Identity, permissions and the org scope of one request.

    `id` is the account's (0 for an API key and for the system itself). `name` is what the audit chain and
    `created_by` hold: the log-in name, or `key:` and the key's prefix. `org_id` and `org_path` are the scope
    acted in; `home_org_id` and `home_org_path` the largest that may be chosen.
    """

    id: int
    name: str
    display_name: str
    permissions: frozenset[str]
    org_id: int
    org_path: str
    home_org_id: int
    home_org_path: str

    def may(self, permission: str) -> bool:
        """Whether the permission is held."""
        return permission in self.permissions

    def reaches(self, org_path: str) -> bool:
        """Whether an org unit lies in the scope acted in."""
        return org_path.startswith(self.org_path)


def require(actor: Actor, permission: str) -> None:
    """Raises NotAllowed, naming the missing permission, unless the actor holds it."""
    if not actor.may(permission):
        raise NotAllowed(
            f"当前账号没有「{PERMISSIONS[permission]}」的权限。如工作需要，请联系安全管理员。",
            permission=permission,
        )
