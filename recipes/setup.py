"""Build the wheel away from this folder; everything else about the distribution is in pyproject.toml.

setuptools would build in `build/` here, inside the package. The copies that it leaves there would be found as recipes
by an editable install, and a recipe that was since renamed or removed would come back in the next wheel.
"""

from tempfile import TemporaryDirectory

from setuptools import setup

with TemporaryDirectory(prefix="sparring-recipes-") as build_base:
    # The script's name keeps this file itself out of the package: a build frontend would put its own there.
    setup(script_name="setup.py", options={"build": {"build_base": build_base}})
