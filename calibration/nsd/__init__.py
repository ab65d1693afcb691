"""The Natural Scenes Dataset in its own layout."""
