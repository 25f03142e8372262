"""The one exception for bad input: a sentence that the command line prints as it is."""


class JaxgenError(ValueError):
    """Something the user gave cannot be used; the message says what, where and what to do.

    The command line prints it without a traceback and exits with status 2. Errors of the code
    itself are left as ordinary exceptions.
    """

    exit_code = 2
