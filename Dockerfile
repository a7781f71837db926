# One image for every role; the command says which: web, worker, scheduler, migrate.
FROM python:3.11-slim AS build
WORKDIR /app
COPY .ci/venv .ci/uv.lock .ci/
COPY requirements.lock ./
RUN .ci/venv requirements.lock

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/outreach --create-home outreach
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY outreach outreach
COPY channels channels
COPY campaigns campaigns
COPY templates templates
USER outreach
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OUTREACH_VAR=/var/lib/outreach
EXPOSE 8640
ENTRYPOINT ["outreach"]
CMD ["web"]
