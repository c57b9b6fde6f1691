"""Scripts kept with the project; run from the checkout root, for example ``python -m
scripts.build_reference``.
"""
