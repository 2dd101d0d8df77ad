"""CSAF 2.0 and its VEX profile: products are named once in a tree, and everything else goes by their ids."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from stopgap.advisory.distros import distro_of
from stopgap.advisory.model import NOISE, Advisory, AdvisoryError, as_id

Json = dict[str, Any]
FIXED = ("fixed", "first_fixed", "recommended")
AFFECTED = ("known_affected", "first_affected", "last_affected", "under_investigation")
NEVRA = re.compile(r"^(?P<name>.+?)-(?P<version>(?:\d+:)?[^-]+-[^-]+)\.(?P<arch>[a-z0-9_]+)$")
MODULE = "pkg:rpmmod/"  # with a version it is the module itself; `ruby:3.0/ruby` is a package of one
SOURCES = ("src", "source", "nosrc")


@dataclass(frozen=True)
class Product:
    """A package, or a platform it belongs to; what is not known is ""."""

    name: str = ""
    package: str = ""
    version: str = ""
    arch: str = ""
    distro: str = ""


def from_csaf(told: Json, wanted: str) -> Advisory:
    """What the document says of the vulnerability `wanted`; nothing but its names where that is none of them."""
    document, vulnerabilities = told["document"], told.get("vulnerabilities") or []
    tracking = document.get("tracking") or {}
    identity = str(tracking.get("id", ""))
    called = [_names(item) for item in vulnerabilities]
    if len(called) == 1 and not vulnerabilities[0].get("cve"):
        called[0].append(as_id(identity))
    found = Advisory(id=identity, names=[name for names in called for name in names])
    chosen = [item for item, names in zip(vulnerabilities, called, strict=True) if wanted in names]
    if not chosen:
        return found
    told_of = chosen[0]
    found.title = str(told_of.get("title") or document.get("title") or "")
    found.published = str(told_of.get("release_date") or tracking.get("initial_release_date", ""))[:10]
    for item in [*(document.get("references") or []), *(told_of.get("references") or [])]:
        found.references.append(str(item.get("url", "")))
    found.cvss = [vector for score in told_of.get("scores") or [] for vector in _vectors(score)]
    products = read_products(told.get("product_tree") or {})
    for product in _listed(told_of, FIXED, products):
        found.package(product.package).add(product.distro, product.version)
    for product in _listed(told_of, ("known_not_affected",), products):
        found.package(product.package).not_affected.add(product.distro)
    for product in _listed(told_of, AFFECTED, products):
        found.package(product.package).unfixed.add(product.distro)
    for item in told_of.get("remediations") or []:
        found.remarks.append((str(item.get("category", "")).replace("_", " "), str(item.get("details", ""))))
    return found


def _names(vulnerability: Json) -> list[str]:
    """Its CVE, or what the vendor calls it where it has none."""
    if vulnerability.get("cve"):
        return [str(vulnerability["cve"])]
    return [as_id(str(item.get("text"))) for item in vulnerability.get("ids") or []]


def _vectors(score: Json) -> Iterator[str]:
    for key in ("cvss_v4", "cvss_v3"):
        if vector := (score.get(key) or {}).get("vectorString"):
            yield str(vector)


def _listed(told: Json, statuses: tuple[str, ...], products: dict[str, Product]) -> Iterator[Product]:
    """Packages of distributions that we know, without what runs nowhere. A fix has a version, the rest needs none."""
    for status in statuses:
        for identifier in (told.get("product_status") or {}).get(status) or []:
            product = products.get(str(identifier), Product())
            has_all = product.package and product.distro and (product.version or status not in FIXED)
            if has_all and product.arch not in SOURCES and not NOISE.search(product.package):
                yield product


def read_products(tree: Json) -> dict[str, Product]:
    """Every product of a tree by its id; one of a relationship has one part's package and the other's platform."""
    products = {str(item["product_id"]): _product(item) for item in _products(tree)}
    for relationship in tree.get("relationships") or []:
        part = products.get(str(relationship.get("product_reference")), Product())
        whole = products.get(str(relationship.get("relates_to_product_reference")), Product())
        named = relationship.get("full_product_name") or {}
        distro = whole.distro or part.distro or distro_of(str(named.get("name"))) or ""
        products[str(named.get("product_id"))] = Product(part.name, part.package, part.version, part.arch, distro)
    return products


def _products(node: Json) -> Iterator[Json]:
    pending = [node]
    while pending:  # no recursion: a hostile tree may be as deep as it likes
        here = pending.pop()
        if isinstance(here.get("product"), dict) and "product_id" in here["product"]:
            yield here["product"]
        yield from (item for item in here.get("full_product_names") or [] if "product_id" in item)
        pending += here.get("branches") or []


def _product(told: Json) -> Product:
    name, helper = str(told.get("name", "")), told.get("product_identification_helper") or {}
    distro = distro_of(str(helper.get("cpe", "")), name) or ""
    if purl := helper.get("purl"):
        package, version, qualifiers = read_purl(str(purl))
        if version and str(purl).startswith(MODULE):
            return Product(name)
        distro = distro or distro_of(qualifiers.get("distro"), qualifiers.get("distro", "").rpartition("/")[2]) or ""
        if version and (epoch := qualifiers.get("epoch")) and epoch != "0":
            version = f"{epoch}:{version}"
        return Product(name, package, version, qualifiers.get("arch", ""), distro)
    if found := NEVRA.match(str(told.get("product_id", ""))):
        return Product(name, found["name"], found["version"].removeprefix("0:"), found["arch"], distro)
    return Product(name, "" if distro else name, "", "", distro)


def read_purl(purl: str) -> tuple[str, str, dict[str, str]]:
    """(name, version, qualifiers) of a package URL. Raises AdvisoryError for what is none."""
    body, _, query = purl.partition("#")[0].partition("?")
    if not body.startswith("pkg:"):
        raise AdvisoryError(f"'{purl[:100]}' is no package URL")
    path, _, version = body.rpartition("@") if "@" in body else (body, "", "")
    qualifiers = {key: values[0] for key, values in parse_qs(query).items()}
    return unquote(path.rpartition("/")[2]), unquote(version), qualifiers
