"""E-mail by SMTP: personal mails out over pipelined connections, bounces and complaints in.

Protocol: docs/adapters/email_smtp.md.
"""

from channels.email_smtp.adapter import EmailSmtp, EmailSmtpConfig

__all__ = ["EmailSmtp", "EmailSmtpConfig"]
