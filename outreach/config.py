"""Settings: from the environment (`OUTREACH_…`), from `*_FILE` secrets, or generated under `var/`.

Every setting is explained in docs/settings.md; a test holds the two together.
"""

import os
import secrets
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(env_prefix="OUTREACH_", extra="ignore", frozen=True)

    database_url: str = ""
    redis_url: str = ""
    var: Path = Path("var")
    master_key: SecretStr = SecretStr("")
    tenant: str = "default"
    host: str = "127.0.0.1"
    port: int = 8640
    public_url: str = ""
    signature: str = "国家税务总局示例市税务局"
    privacy_contact: str = ""
    secure_cookies: bool = True
    digest: Literal["sha256", "sm3"] = "sha256"
    pool_size: int = Field(default=12, ge=2, le=200)
    senders: int = Field(default=4, ge=1, le=64)
    lease_seconds: float = Field(default=60.0, gt=1)
    tick_seconds: float = Field(default=1.0, gt=0)
    archive: str = ""
    link_days: int = Field(default=60, ge=30, le=90)
    keep_receipts_days: int = Field(default=30, ge=4)
    keep_messages_months: int = Field(default=0, ge=0)
    keep_links_days: int = Field(default=30, ge=0)
    keep_traces_days: int = Field(default=180, ge=180)
    confirm_above: int = Field(default=10_000, ge=0)
    emergency_review_hours: int = Field(default=24, ge=1, le=72)
    log_level: str = "INFO"
    log_json: bool = True

    @property
    def base_url(self) -> str:
        """Where taxpayers and providers reach the web process."""
        return self.public_url or f"http://{self.host}:{self.port}"


def load_settings(**overrides: object) -> Settings:
    """Read the environment; a variable `OUTREACH_X_FILE` names a file that holds the value of X."""
    from_files = {
        name.removeprefix("OUTREACH_").removesuffix("_FILE").lower(): Path(path).read_text().strip()
        for name, path in os.environ.items()
        if name.startswith("OUTREACH_") and name.endswith("_FILE")
    }
    settings = Settings(**{**from_files, **overrides})  # type: ignore[arg-type]
    if settings.master_key.get_secret_value():
        return settings
    return settings.model_copy(update={"master_key": SecretStr(_generated_key(settings.var))})


def _generated_key(var: Path) -> str:
    # For the demo and a first look only: with real data the key comes from outside the disk that holds
    # the database (docs/settings.md says so).
    path = var / "master.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text().strip()
