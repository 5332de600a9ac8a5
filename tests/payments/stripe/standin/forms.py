"""Form bodies and queries with names such as ``metadata[reference]`` and ``expand[0]``."""

from urllib.parse import parse_qsl


def unflatten(text):
    """Nested dicts; lists where the names are numbers or empty."""
    found = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = name.replace("]", "").split("[")
        here, keys = found, [first, *rest]
        for key in keys[:-1]:
            here = here.setdefault(key, {})
        here[keys[-1] or str(len(here))] = value
    return _lists(found)


def _lists(found):
    if not isinstance(found, dict):
        return found
    if found and all(key.isdigit() for key in found):
        return [_lists(found[key]) for key in sorted(found, key=int)]
    return {key: _lists(value) for key, value in found.items()}
