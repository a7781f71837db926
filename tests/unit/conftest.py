"""How hypothesis searches here: by count of examples, not by the clock."""

from hypothesis import HealthCheck, settings

# Its own limits (200 ms an example, a second to make the first ten) are broken by any machine that stands
# still for a moment, whatever the code does.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
