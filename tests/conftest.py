"""No test depends on how busy the machine is: Hypothesis sets no clock on an example anywhere."""

from hypothesis import HealthCheck, settings

settings.register_profile("nongso", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nongso")
