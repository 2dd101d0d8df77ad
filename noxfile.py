"""The matrix that `make test` does not walk: every ansible-core the collection promises to work with."""

import nox

nox.options.default_venv_backend = "venv"
CORES = [("3.11", "2.16"), ("3.11", "2.17"), ("3.11", "2.18"), ("3.11", "2.19"), ("3.12", "2.20"), ("3.12", "2.21")]


@nox.session
@nox.parametrize(("python", "core"), CORES)
def unit(session: nox.Session, core: str) -> None:
    """The unit tests on one ansible-core."""
    session.install("--editable", ".[postgresql]", f"ansible-core=={core}.*", "hypothesis", "pytest", "pytest-xdist")
    session.run("pytest", "-q", "-m", "not lab and not e2e and not bench", "tests", *session.posargs)
