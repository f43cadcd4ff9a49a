"""The engine's bill of materials, in CycloneDX 1.6 (ECMA-424): Debian's packages, and our own modules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import resources

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from trunkline import __version__
from trunkline.engine.install import contents
from trunkline.engine.install.installed import Installed
from trunkline.engine.install.recorder import SOURCES

_licenses = LicenseFactory()


def bill(engine: Installed) -> str:
    """JSON. Where the packages are not known (`contents.read`), Asterisk stands for itself."""
    bom = Bom()
    bom.metadata.component = root = Component(
        name="asterisk",
        version=engine.version,
        type=ComponentType.APPLICATION,
        bom_ref="engine",
        licenses=[_licenses.make_with_expression("GPL-2.0-only")],
    )
    parts = [*_modules(), *_packages(engine)]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(root, parts)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _packages(engine: Installed) -> Iterator[Component]:
    for package in contents.read(engine.root) if engine.root else ():
        purl = PackageURL(
            "deb",
            "debian",
            package.name,
            package.version,
            qualifiers={"arch": package.architecture},
        )
        yield Component(
            name=package.name,
            version=package.version,
            type=ComponentType.LIBRARY,
            bom_ref=purl.to_string(),
            purl=purl,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package.sha256)],
        )


def _modules() -> Iterator[Component]:
    """They are compiled on the machine where they run, so the digest is their source's."""
    for package, name in SOURCES:
        source = (resources.files(package) / f"{name}.c").read_bytes()
        yield Component(
            name=name,
            version=__version__,
            type=ComponentType.LIBRARY,
            bom_ref=name,
            description="A module of Asterisk of Trunkline's",
            licenses=[_licenses.make_with_expression("GPL-2.0-only")],
            hashes=[
                HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(source).hexdigest())
            ],
        )
