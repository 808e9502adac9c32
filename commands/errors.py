"""What the command line answers when it cannot do as asked."""


class CommandError(Exception):
    """A sentence for the person at the terminal: what is wrong, where, what to do."""
