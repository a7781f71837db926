"""A simulated mail relay: a strict SMTP sink that reports bounces and complaints."""

from channels.gateways.email_smtp.simulator import EmailSmtpSimulator

__all__ = ["EmailSmtpSimulator"]
