# syntax=docker/dockerfile:1
# Two stages: the first has a compiler's worth of tools, the second only what runs.
FROM python:3.13-slim-bookworm AS build
WORKDIR /srv/avizor
RUN python -m venv /srv/venv
COPY requirements.lock ./
RUN /srv/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md avizor.example.toml ./
COPY app app
COPY collectors collectors
COPY alerts alerts
COPY migrations migrations
RUN /srv/venv/bin/pip install --no-cache-dir --no-deps --no-index --no-build-isolation -e . \
    && /srv/venv/bin/python -m compileall -q app collectors alerts migrations

FROM python:3.13-slim-bookworm
RUN groupadd --gid 10001 avizor && useradd --uid 10001 --gid avizor --no-create-home --shell /usr/sbin/nologin avizor \
    && install -d -o avizor -g avizor /data
COPY --from=build /srv /srv
# Everything that changes is under /data: run with --read-only --cap-drop=ALL --security-opt=no-new-privileges
# and one volume, e.g. -v avizor:/data --tmpfs /tmp
ENV PATH=/srv/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AVIZOR_HOST=0.0.0.0 \
    AVIZOR_DATA_DIR=/data
# avizor.toml is looked for here; `docker run ... init` writes one to start from
WORKDIR /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["avizor"]
CMD ["serve", "--migrate", "--apply"]
