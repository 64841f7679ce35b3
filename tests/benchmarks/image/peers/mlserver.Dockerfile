# MLServer on a bare Python, with the script by which its Dockerfiles install a model's requirements.
FROM python:3.11-slim
WORKDIR /opt/mlserver
COPY serving/peers/mlserver.txt /tmp/pinned.txt
RUN pip install -q --no-cache-dir mlserver -c /tmp/pinned.txt \
 && mkdir hack \
 && printf '#!/bin/sh\npip install -q -r "$1/requirements.txt"\n' > hack/build-env.sh \
 && chmod -R 777 .
