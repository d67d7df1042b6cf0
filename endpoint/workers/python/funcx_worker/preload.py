"""The modules that the endpoint wants imported before the first task."""
import importlib


def preload(modules):
    """Imports them and returns those that failed as (top-level name, name, reason). A module that cannot be imported does not stop the
    others: tasks that do not need it run, and the ImportError of one that does names the reason."""
    failures = []
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:  # an import is foreign code
            failures.append((name.partition(".")[0], name, "%s: %s" % (type(error).__name__, error)))
    return failures
