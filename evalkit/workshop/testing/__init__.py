"""Evaluations as tests of pytest: `@pytest.mark.evalkit(task=..., model=..., min=...)`."""
