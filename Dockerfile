# evalkit at the versions it was tested with, as a user that is nobody special; the folder /work is the workspace.
#   docker build --tag evalkit .
#   docker run --rm --volume "$PWD:/work" --user "$(id -u):$(id -g)" --env OPENAI_API_KEY evalkit run
FROM python:3.12.11-slim-bookworm AS wheel
WORKDIR /source
COPY requirements/build.txt requirements/
RUN python -m pip install --no-cache-dir -r requirements/build.txt
COPY LICENSE README.md pyproject.toml ./
COPY requirements/constraints.txt requirements/
COPY tasks tasks
COPY evalkit evalkit
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist .

FROM python:3.12.11-slim-bookworm
COPY requirements/core.txt /tmp/core.txt
RUN python -m pip install --no-cache-dir -r /tmp/core.txt
COPY --from=wheel /dist /tmp/dist
RUN python -m pip install --no-cache-dir --no-deps /tmp/dist/*.whl \
    && useradd --no-create-home --uid 1000 evalkit \
    && install --directory --owner evalkit --group evalkit --mode 0777 /work
ENV PYTHONUTF8=1 PYTHONUNBUFFERED=1
# A user given by --user has no home of its own.
ENV HOME=/tmp
USER 1000:1000
WORKDIR /work
VOLUME /work
ENTRYPOINT ["evalkit"]
CMD ["--help"]
