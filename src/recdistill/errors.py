"""The one exception for what a user can cause and mend."""


class UserError(Exception):
    """One clear sentence: what is wrong, where, and what to do.

    A stage that ends in a ``UserError`` prints the sentence without a traceback, marks its run
    FAILED and exits with status 2. Anything else that escapes is a defect of ours and keeps its
    traceback.
    """
