"""The compiled kernels: built where there is a compiler, done without where there is none.

Everything else about the package stands in `pyproject.toml`. Two variables change the build:
`LANDBRIDGE_REQUIRE_EXT=1` makes a failed build fatal, so that a check can't pass on the pure
Python twin by accident; `LANDBRIDGE_SANITIZE=1` adds the address and undefined-behaviour
sanitizers, for `make fuzz`.
"""

import os
import warnings
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = {
    "landbridge.codec._kernel": Path("src/landbridge/codec/_kernel.pyx"),
    "landbridge.verify._kernel": Path("src/landbridge/verify/_kernel.pyx"),
}
HEADERS = [str(header) for header in Path("src/landbridge").glob("*/native/*.hpp")]
SANITIZE = os.environ.get("LANDBRIDGE_SANITIZE") == "1"
REQUIRED = os.environ.get("LANDBRIDGE_REQUIRE_EXT") == "1"

COMPILE_ARGS = ["-std=c++17", "-O3", "-fvisibility=hidden"]
LINK_ARGS: list[str] = []
if SANITIZE:
    COMPILE_ARGS = ["-std=c++17", "-O1", "-g", "-fsanitize=address,undefined"]
    COMPILE_ARGS += ["-fno-omit-frame-pointer"]
    LINK_ARGS = ["-fsanitize=address,undefined"]


class OptionalBuildExt(build_ext):
    """Leaves out an extension that does not compile; setuptools' `optional` alone stops there."""

    def build_extensions(self) -> None:
        """Build what can be built, and forget the rest."""
        built = []
        for extension in self.extensions:
            try:
                self.build_extension(extension)
            except Exception as error:  # CompileError, or OSError where there is no compiler.
                if REQUIRED:
                    raise
                warnings.warn(
                    f"{extension.name} was not built ({error}); "
                    "landbridge works without it, many times slower",
                    stacklevel=1,
                )
            else:
                built.append(extension)
        # An editable install looks for the file of every extension that is still listed.
        self.extensions = built


def extensions() -> list[Extension]:
    """The kernels, translated to C++; a mistake in their own source is always fatal."""
    kernels = [
        Extension(
            name,
            [str(source)],
            depends=HEADERS,
            language="c++",
            extra_compile_args=COMPILE_ARGS,
            extra_link_args=LINK_ARGS,
            optional=not REQUIRED,
        )
        for name, source in KERNELS.items()
        if source.exists()
    ]
    return list(cythonize(kernels, language_level=3))


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": OptionalBuildExt},
)
