"""What every unit test shares."""

from hypothesis import settings

# Laws are tested, not seconds: on a machine that does other work a case may take any time.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
