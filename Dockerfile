# laminar's own image: Python, and laminar with what it needs to start layers in containers, and to serve. It does not
# run as root.
#
#   docker build -t rchui/laminar .
#   docker build --build-arg PYTHON=3.12 -t rchui/laminar:py3.12 .
#
# BASE may be any Debian with python3 and venv, or an image with Python and pip.
ARG PYTHON=3.11
ARG BASE=python:${PYTHON}-slim-bookworm

FROM ${BASE} AS build
ARG PIP_INDEX_URL
COPY . /src
RUN $(command -v python || command -v python3) -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check "/src[docker,cloud,postgres]" \
    && if [ -d /opt/venv/lib/python3*/site-packages/setuptools ]; then /opt/venv/bin/pip uninstall --yes setuptools; fi

FROM ${BASE}
LABEL org.opencontainers.image.title="laminar" \
      org.opencontainers.image.licenses="Apache-2.0" \
      laminar.version="2026.11.0"
RUN useradd --uid 1000 --create-home laminar \
    && mkdir -p /laminar/.laminar \
    && chown -R laminar: /laminar \
    && chmod 1777 /laminar
# Images that are built FROM this one install their requirements as this user.
COPY --from=build --chown=1000:1000 /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /laminar
USER laminar
HEALTHCHECK --interval=30s --timeout=10s CMD ["python", "-c", "import laminar.flows.flow, laminar.ledger.sql"]
CMD ["python"]
