# For a builder stage that finds no conda environment to make.
FROM python:3.11-slim
RUN ln -s /bin/true /usr/local/bin/conda && ln -s /bin/true /usr/local/bin/conda-pack
