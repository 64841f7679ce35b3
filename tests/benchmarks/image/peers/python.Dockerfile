# What python:3.11-slim has and the stand-in of .ci/images has not: pip and the name `python`.
FROM python:3.11-slim-bookworm
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends python3-pip \
 && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \
 && rm -rf /var/lib/apt/lists/* \
 && ln -sf python3 /usr/bin/python
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
