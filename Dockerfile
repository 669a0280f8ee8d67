# The gate and its load generator in one small image: no compiler, no pip, no root.
#     docker build -t kycgate .
#     docker run --rm -e KYCGATE_BASE_URL -e KYCGATE_TENANT_ID -e KYCGATE_TENANT_SECRET -v "$PWD/runs:/work" kycgate check
FROM python:3.11-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
WORKDIR /src
RUN python -m pip install --no-cache-dir uv==0.13.9 && uv venv /opt/kycgate
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY kycgate kycgate
COPY contracts contracts
COPY load load
COPY reports reports
COPY tests tests
RUN uv pip install --no-cache --python /opt/kycgate --constraint constraints.txt '.[load]'

FROM python:3.11-slim-bookworm
# What installs packages has no business in a running container.
RUN python -m pip uninstall --yes pip setuptools wheel \
    && rm -rf /usr/local/lib/python3.11/ensurepip \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin kycgate \
    && install --directory --owner=10001 --group=10001 /work
COPY --from=build /opt/kycgate /opt/kycgate
# Under a read-only root only /work and /tmp can be written to.
ENV PATH=/opt/kycgate/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
USER 10001:10001
WORKDIR /work
VOLUME /work
ENTRYPOINT ["kycgate"]
CMD ["--help"]
