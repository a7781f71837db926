"""What the platform keeps of the work notices that it took: tasks, what became of them, who got what today.
Sheet, work notification."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.gateways.wechat_official.tokens import Refused

_DAY = 86_400
_CHINA = 8 * 3600
_A_DAY = 500


@dataclass(slots=True)
class Task:
    """A notice that was taken, and its receivers by what became of them."""

    number: int
    sent_at: float
    ready_at: float
    users: dict[str, list[str]] = field(default_factory=dict)
    forbidden: list[dict[str, Any]] = field(default_factory=list)
    recalled: bool = False


class Notices:
    """The tasks of an application. Times are seconds of the epoch by `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.tasks: dict[int, Task] = {}
        self._clock = clock
        self._day = -1
        self._seen: set[tuple[str, str]] = set()
        self._counts: Counter[str] = Counter()

    def open(self, delay: float) -> Task:
        """A new task whose result stands after `delay` seconds."""
        now = self._clock()
        task = Task(256_271_667_000 + len(self.tasks), now, now + delay)
        self.tasks[task.number] = task
        return task

    def forbid(self, user: str, content: str) -> str:
        """Why a user may not get this content today, or an empty string; then it counts."""
        day = int((self._clock() + _CHINA) // _DAY)
        if day != self._day:
            self._day = day
            self._seen.clear()
            self._counts.clear()
        if (user, content) in self._seen:
            return "143106"
        if self._counts[user] >= _A_DAY:
            return "143105"
        self._seen.add((user, content))
        self._counts[user] += 1
        return ""

    def find(self, number: object) -> Task:
        """A task of the last 24 hours. Raises Refused."""
        known = str(number).isdigit() and len(str(number)) < 19
        task = self.tasks.get(int(str(number))) if known else None
        if task is None or self._clock() - task.sent_at > _DAY:
            raise Refused(40035, "不合法的参数 task_id")
        return task

    def describe(self, task: Task) -> Mapping[str, Any]:
        """The result as `getsendresult` tells it; empty until it stands."""
        names = ("invalid", "forbidden", "failed", "read", "unread")
        ready = self._clock() >= task.ready_at
        told: dict[str, Any] = {
            f"{name}_user_id_list": task.users.get(name, []) if ready else [] for name in names
        }
        return {**told, "invalid_dept_id_list": [], "forbidden_list": task.forbidden if ready else []}
